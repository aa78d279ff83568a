//! Whether the write-ahead log can be trusted.
//!
//! SQLite reads the log up to the first frame that does not check and drops the rest without a
//! word. That is right after a crash, when the last transaction may be half on disk; it loses
//! acknowledged writes when a byte went bad in the middle. The two can be told apart, since
//! every commit is synced before the next transaction is written: what is torn is the last
//! transaction, so nothing can follow its commit.
//!
//! The format is <https://sqlite.org/fileformat.html> §4.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The lowest bit says which byte order the checksums are made in.
const MAGIC: u32 = 0x377f_0682;

/// What is wrong with the log, if opening the database with it would lose committed data.
pub(crate) fn damage(database: &Path, log: &Path) -> io::Result<Option<String>> {
    let file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut file = BufReader::new(file);
    let mut header = [0; LOG_HEADER];
    if !fill(&mut file, &mut header)? {
        // A log is cut to nothing when it was copied back; frames need a whole header.
        return Ok(None);
    }
    match Log::parse(&header) {
        Some(log) => log.walk(&mut file),
        None => hidden(&mut file, database),
    }
}

/// What the header says that its frames must agree with.
struct Log {
    big_endian: bool,
    page_size: usize,
    salts: Salts,
    sums: Sums,
}

type Sums = (u32, u32);

/// Chosen anew whenever the log starts over, so older frames can be told apart.
#[derive(Clone, Copy, PartialEq)]
struct Salts(u32, u32);

impl Salts {
    /// Whether a frame was written under these salts, even if one of its own went bad. Those of
    /// an earlier log differ in both.
    fn kin(self, other: Self) -> bool {
        self.0 == other.0 || self.1 == other.1
    }
}

struct Frame {
    page: u32,
    /// The size of the database in pages after a commit; 0 in the frames before the last.
    commit: u32,
    salts: Salts,
    sums: Sums,
}

impl Log {
    fn parse(header: &[u8; LOG_HEADER]) -> Option<Self> {
        let magic = word(header, 0);
        let log = Self {
            big_endian: magic & 1 == 1,
            page_size: usize::try_from(word(header, 8)).ok()?,
            salts: Salts(word(header, 16), word(header, 20)),
            sums: (word(header, 24), word(header, 28)),
        };
        let sums = checksum(log.big_endian, header.get(..24)?, (0, 0));
        let sound = magic & !1 == MAGIC && is_page_size(log.page_size) && sums == log.sums;
        sound.then_some(log)
    }

    /// Follows the frames: after one that does not check, no transaction may follow the one
    /// that it belongs to.
    fn walk(&self, file: &mut impl Read) -> io::Result<Option<String>> {
        let mut bytes = vec![0; FRAME_HEADER + self.page_size];
        let mut sums = self.sums;
        let mut index = 0_u64;
        let mut bad = None;
        let mut committed = false;
        while fill(file, &mut bytes)? {
            index += 1;
            let frame = Frame::parse(&bytes);
            if bad.is_none() {
                sums = frame_checksum(self.big_endian, &bytes, sums);
                if frame.page != 0 && frame.salts == self.salts && frame.sums == sums {
                    continue;
                }
                bad = Some(index);
            } else if committed && self.salts.kin(frame.salts) {
                let bad = bad.unwrap_or_default();
                return Ok(Some(format!(
                    "frame {bad} does not check, and committed transactions follow it"
                )));
            }
            committed |= frame.commit != 0 && self.salts.kin(frame.salts);
        }
        Ok(None)
    }
}

impl Frame {
    fn parse(bytes: &[u8]) -> Self {
        Self {
            page: word(bytes, 0),
            commit: word(bytes, 4),
            salts: Salts(word(bytes, 8), word(bytes, 12)),
            sums: (word(bytes, 16), word(bytes, 20)),
        }
    }
}

/// SQLite ignores a log whose header does not check. A crash can leave one, while the header is
/// written for a log that starts over; but then every page of the old log is in the database
/// already. So the log is damaged when it holds a committed page that the database does not.
fn hidden(log: &mut (impl Read + Seek), database: &Path) -> io::Result<Option<String>> {
    let mut database = BufReader::new(File::open(database)?);
    let mut head = [0; 18];
    let page_size = if fill(&mut database, &mut head)? { database_page_size(&head) } else { 0 };
    if !is_page_size(page_size) {
        // The check of the database file itself says what is wrong.
        return Ok(None);
    }
    let (pages, size) = last_images(log, page_size)?;
    let mut kept = vec![0; page_size];
    let mut logged = vec![0; page_size];
    for (page, offset) in pages {
        if page == 0 || page > size {
            continue;
        }
        log.seek(SeekFrom::Start(offset))?;
        database.seek(SeekFrom::Start(u64::from(page - 1) * page_size as u64))?;
        if !fill(log, &mut logged)? || !fill(&mut database, &mut kept)? || kept != logged {
            return Ok(Some(
                "its header does not check, and it holds data that is nowhere else".to_owned(),
            ));
        }
    }
    Ok(None)
}

/// Where the last committed image of each page is, and the size of the database in pages.
fn last_images(log: &mut impl Read, page_size: usize) -> io::Result<(HashMap<u32, u64>, u32)> {
    let mut bytes = vec![0; FRAME_HEADER + page_size];
    let mut offset = LOG_HEADER as u64;
    let mut salts = None;
    let mut open = Vec::new();
    let mut pages = HashMap::new();
    let mut size = 0;
    while fill(log, &mut bytes)? {
        let frame = Frame::parse(&bytes);
        if !salts.get_or_insert(frame.salts).kin(frame.salts) {
            break;
        }
        open.push((frame.page, offset + FRAME_HEADER as u64));
        if frame.commit != 0 {
            pages.extend(open.drain(..));
            size = frame.commit;
        }
        offset += bytes.len() as u64;
    }
    Ok((pages, size))
}

/// From the database header; 1 stands for 65,536.
fn database_page_size(head: &[u8; 18]) -> usize {
    match (head.get(16), head.get(17)) {
        (Some(0), Some(1)) => 65_536,
        (Some(&high), Some(&low)) => usize::from(u16::from_be_bytes([high, low])),
        _ => 0,
    }
}

fn is_page_size(size: usize) -> bool {
    size.is_power_of_two() && (512..=65_536).contains(&size)
}

fn checksum(big_endian: bool, bytes: &[u8], (mut first, mut second): Sums) -> Sums {
    let number = if big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
    for pair in bytes.chunks_exact(8) {
        if let (Some(left), Some(right)) = (pair.first_chunk::<4>(), pair.last_chunk::<4>()) {
            first = first.wrapping_add(number(*left)).wrapping_add(second);
            second = second.wrapping_add(number(*right)).wrapping_add(first);
        }
    }
    (first, second)
}

/// Goes on from the checksum of the frame before. The salts are not part of it.
fn frame_checksum(big_endian: bool, bytes: &[u8], sums: Sums) -> Sums {
    let sums = checksum(big_endian, bytes.get(..8).unwrap_or_default(), sums);
    checksum(big_endian, bytes.get(FRAME_HEADER..).unwrap_or_default(), sums)
}

/// The big-endian number at a place; 0 where there is none.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<4>).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Reads exactly as much as fits; `false` when the file ends before.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::path::PathBuf;

    use rusqlite::Connection;

    use super::*;

    const PAGE: u64 = 4096;
    const FRAME: u64 = PAGE + FRAME_HEADER as u64;

    /// A database and the log of four transactions that touch one page each, as a crash leaves
    /// them; the connection that wrote them stays open beside the copies.
    struct Crashed {
        _dir: tempfile::TempDir,
        database: PathBuf,
        log: PathBuf,
        source: PathBuf,
        writer: Connection,
    }

    impl Crashed {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let source = dir.path().join("source");
            let writer = Connection::open(&source).unwrap();
            writer
                .execute_batch(
                    "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;
                     CREATE TABLE t (n INTEGER PRIMARY KEY);
                     PRAGMA wal_checkpoint(TRUNCATE);",
                )
                .unwrap();
            let database = dir.path().join("copy");
            let log = dir.path().join("copy-wal");
            let crashed = Self { _dir: dir, database, log, source, writer };
            for n in 1..=4 {
                crashed.insert(n);
            }
            crashed.crash();
            crashed
        }

        fn insert(&self, n: i64) {
            self.writer.execute("INSERT INTO t VALUES (?1)", [n]).unwrap();
        }

        fn crash(&self) {
            let log = self.source.with_file_name("source-wal");
            std::fs::copy(&self.source, &self.database).unwrap();
            std::fs::copy(log, &self.log).unwrap();
        }

        fn flip(&self, at: u64) {
            let mut file = OpenOptions::new().read(true).write(true).open(&self.log).unwrap();
            let mut byte = [0];
            file.seek(SeekFrom::Start(at)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&[byte[0] ^ 0x40]).unwrap();
        }

        fn cut(&self, length: u64) {
            OpenOptions::new().write(true).open(&self.log).unwrap().set_len(length).unwrap();
        }

        fn length(&self) -> u64 {
            self.log.metadata().unwrap().len()
        }

        fn damage(&self) -> Option<String> {
            damage(&self.database, &self.log).unwrap()
        }
    }

    #[test]
    fn a_sound_log_is_taken() {
        let crashed = Crashed::new();
        assert_eq!(crashed.length(), 32 + 4 * FRAME);
        assert_eq!(crashed.damage(), None);
    }

    #[test]
    fn an_absent_or_empty_log_is_taken() {
        let crashed = Crashed::new();
        crashed.cut(0);
        assert_eq!(crashed.damage(), None);
        std::fs::remove_file(&crashed.log).unwrap();
        assert_eq!(crashed.damage(), None);
    }

    #[test]
    fn a_torn_last_transaction_is_taken() {
        for cut in [1, 5000, 4097] {
            let crashed = Crashed::new();
            crashed.cut(crashed.length() - cut);
            assert_eq!(crashed.damage(), None, "cut by {cut}");
        }
        let crashed = Crashed::new();
        crashed.flip(32 + 3 * FRAME + 100);
        assert_eq!(crashed.damage(), None);
    }

    #[test]
    fn a_bad_byte_before_the_last_transaction_is_damage() {
        for frame in 0..3 {
            // Each part of a frame: page number, commit size, both salts, checksum, page.
            for place in [3, 7, 8, 12, 16, 24, 4000] {
                let crashed = Crashed::new();
                crashed.flip(32 + frame * FRAME + place);
                assert!(crashed.damage().is_some(), "frame {frame}, byte {place}");
            }
        }
    }

    #[test]
    fn a_bad_header_over_data_of_its_own_is_damage() {
        for place in [0, 3, 9, 13, 17, 21, 25, 29] {
            let crashed = Crashed::new();
            crashed.flip(place);
            assert!(crashed.damage().is_some(), "byte {place}");
        }
    }

    #[test]
    fn a_bad_header_over_data_that_was_copied_back_is_taken() {
        let crashed = Crashed::new();
        crashed.writer.execute_batch("PRAGMA wal_checkpoint(FULL)").unwrap();
        crashed.crash();
        crashed.flip(17);
        assert_eq!(crashed.damage(), None);
    }

    #[test]
    fn frames_of_an_earlier_log_are_taken() {
        let crashed = Crashed::new();
        crashed.writer.execute_batch("PRAGMA wal_checkpoint(RESTART)").unwrap();
        crashed.insert(5);
        crashed.crash();
        assert_eq!(crashed.length(), 32 + 4 * FRAME, "the old frames must still be there");
        assert_eq!(crashed.damage(), None);
    }
}
