//! The key that wraps every secret at rest: read, or made on the first start.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use vestibule_broker::MasterKey;
use vestibule_core::ids::hex;
use vestibule_core::{Entropy, SecretRef, Secrets};
use zeroize::{Zeroize as _, Zeroizing};

use crate::ports::why_unresolved;

/// Whether there are users already, whose secrets a new key could not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreState {
    /// There is no store yet.
    New,
    /// There is one.
    Existing,
}

impl StoreState {
    /// Looks whether the store's file, or the log that SQLite keeps beside it, is there, without
    /// touching either.
    pub(crate) fn of(file: &Path) -> Self {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        // What cannot be looked at counts as there: the careful answer.
        let is_absent = |path: &Path| matches!(path.try_exists(), Ok(false));
        if is_absent(file) && is_absent(Path::new(&log)) { Self::New } else { Self::Existing }
    }
}

/// The key, and what an operator should hear about it.
#[derive(Debug)]
pub(crate) struct Obtained {
    /// The key.
    pub(crate) key: MasterKey,
    /// The file that was just made.
    pub(crate) made: Option<PathBuf>,
    /// The file that others than its owner can read.
    pub(crate) exposed: Option<PathBuf>,
}

/// Why a reference leads to no key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: String,
}

/// Reads the key. Where its file is absent and there is no store yet, makes one.
///
/// It comes before the store is opened: a failure here leaves no store behind that has no key,
/// and a failure of the store leaves a key that the next start simply uses.
///
/// # Errors
/// Why not, in words for the operator.
pub(crate) fn obtain(
    reference: &SecretRef,
    store: StoreState,
    entropy: &dyn Entropy,
    secrets: &dyn Secrets,
) -> Result<Obtained, String> {
    let mut made = None;
    let mut exposed = None;
    if let SecretRef::File(path) = reference {
        let path = Path::new(path);
        let exists = path.try_exists().map_err(|error| {
            format!("the master key {} cannot be read: {error}", path.display())
        })?;
        match (exists, store) {
            (true, _) => exposed = is_exposed(path).then(|| path.to_owned()),
            (false, StoreState::New) => {
                make(path, entropy).map_err(|error| {
                    format!("the master key {} cannot be made: {error}", path.display())
                })?;
                made = Some(path.to_owned());
            }
            (false, StoreState::Existing) => {
                return Err(format!(
                    "the master key {} is absent, but the store exists and its secrets can be \
                     opened with that key only. Restore the file from your backup; or, to begin \
                     anew without the present users, move the store away",
                    path.display()
                ));
            }
        }
    }
    let key = read(reference, store, secrets)
        .map_err(|Unusable { message, help }| format!("the master key {message}: {help}"))?;
    Ok(Obtained { key, made, exposed })
}

/// Whether the reference leads to a key, without making one. A file that is absent is no
/// mistake: the first start makes it.
///
/// # Errors
/// Why not, and what to do about it.
pub(crate) fn check(
    reference: &SecretRef,
    store: StoreState,
    secrets: &dyn Secrets,
) -> Result<(), Unusable> {
    if let SecretRef::File(path) = reference
        && matches!(Path::new(path).try_exists(), Ok(false))
    {
        return Ok(());
    }
    read(reference, store, secrets).map(drop)
}

fn read(
    reference: &SecretRef,
    store: StoreState,
    secrets: &dyn Secrets,
) -> Result<MasterKey, Unusable> {
    let unusable = |message: String| Unusable { message, help: help(reference, store).to_owned() };
    let text = secrets
        .resolve(reference)
        .map_err(|error| unusable(format!("cannot be had: {}", why_unresolved(&error))))?;
    parse(text.expose_secret()).ok_or_else(|| {
        unusable(format!("{reference} is not a key: it must be 64 hexadecimal characters"))
    })
}

fn help(reference: &SecretRef, store: StoreState) -> &'static str {
    match (store, reference) {
        (StoreState::New, SecretRef::Env(_)) => {
            "set the variable to a key of your own; `openssl rand -hex 32` makes one"
        }
        (StoreState::New, SecretRef::File(_)) => {
            "remove the file, and the first start makes it; or write a key of your own into it, \
             which `openssl rand -hex 32` makes"
        }
        (StoreState::Existing, _) => {
            "restore the key from your backup: one of another value cannot open this store. For \
             a new store, `openssl rand -hex 32` makes one"
        }
    }
}

fn parse(text: &str) -> Option<MasterKey> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(MasterKey::new(*bytes))
}

fn nibble(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Only this user may look into a directory that holds the key, and usually the records.
fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn make(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_directory(parent)?;
    }
    let mut bytes = Zeroizing::new([0_u8; 32]);
    entropy.fill(bytes.as_mut_slice());
    let mut text = hex(bytes.as_slice());
    text.push('\n');
    let written = write_new(path, text.as_bytes());
    text.zeroize();
    written?;
    // The entry in the directory has to be on disk as well before anything is sealed.
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Writes a file that nobody else can read and that was not there before.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key would be refused by every later start.
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{FileEnvSecrets, OsEntropy};

    fn obtain_from(path: &Path, store: StoreState) -> Result<Obtained, String> {
        let reference = SecretRef::File(path.display().to_string());
        obtain(&reference, store, &OsEntropy, &FileEnvSecrets)
    }

    #[test]
    #[cfg(unix)]
    fn x04_the_key_of_a_first_start_is_made_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/master.key");
        let first = obtain_from(&path, StoreState::New).unwrap();
        assert_eq!(first.made.as_deref(), Some(path.as_path()));
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(metadata.len(), 65);
        let second = obtain_from(&path, StoreState::Existing).unwrap();
        assert_eq!((second.made, second.exposed), (None, None));
    }

    #[test]
    fn x03_an_absent_key_of_an_existing_store_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let error = obtain_from(&path, StoreState::Existing).unwrap_err();
        assert!(error.contains("Restore"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn a_key_of_another_form_is_refused_without_repeating_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for wrong in ["canary", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            fs::write(&path, wrong).unwrap();
            let error = obtain_from(&path, StoreState::New).unwrap_err();
            assert!(error.contains("64 hexadecimal"), "{error}");
            assert!(!error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_check_makes_nothing_and_speaks_of_a_backup_only_where_there_is_a_store() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let reference = SecretRef::File(path.display().to_string());
        assert_eq!(check(&reference, StoreState::New, &FileEnvSecrets), Ok(()));
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        let new = check(&reference, StoreState::New, &FileEnvSecrets).unwrap_err();
        assert!(new.help.contains("openssl rand -hex 32"), "{new:?}");
        assert!(!new.help.contains("backup"), "{new:?}");
        let existing = check(&reference, StoreState::Existing, &FileEnvSecrets).unwrap_err();
        assert!(existing.help.contains("backup"), "{existing:?}");
    }

    #[test]
    #[cfg(unix)]
    fn a_key_that_others_can_read_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        fs::write(&path, "ab".repeat(32)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let obtained = obtain_from(&path, StoreState::Existing).unwrap();
        assert_eq!(obtained.exposed, Some(path));
    }
}
