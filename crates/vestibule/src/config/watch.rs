//! Whether the files of a configuration have changed since they were read.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The state of the files at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    file: PathBuf,
    dir: Option<PathBuf>,
    stamps: Vec<(PathBuf, Stamp)>,
}

/// When a file was written and how long it is; `None` where it cannot be seen.
type Stamp = Option<(Option<SystemTime>, u64)>;

impl Watch {
    /// The present state of a file.
    pub(crate) fn of_file(file: &Path) -> Self {
        Self { file: file.to_owned(), dir: None, stamps: vec![(file.to_owned(), stamp(file))] }
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The same and the present state of a directory of project files.
    pub(crate) fn and_dir(mut self, dir: &Path) -> Self {
        let files = project_files(dir).unwrap_or_default();
        self.stamps.extend(files.into_iter().map(|file| {
            let stamp = stamp(&file);
            (file, stamp)
        }));
        self.dir = Some(dir.to_owned());
        self
    }

    /// Whether nothing has changed since. A file that is replaced by a rename counts as changed.
    pub(crate) fn is_current(&self) -> bool {
        let now = Self::of_file(&self.file);
        let now = match &self.dir {
            Some(dir) => now.and_dir(dir),
            None => now,
        };
        *self == now
    }
}

/// The project files of a directory, by name.
pub(crate) fn project_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        // Editors keep their half-written copies in hidden files.
        if !is_hidden && path.extension().is_some_and(|end| end == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok(), metadata.len()))
}
