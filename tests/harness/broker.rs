//! The broker as a child process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::eventually;
use super::http::Answer;
use super::setup::Setup;

/// How long a start may take: generous, since two cores may be compiling meanwhile.
const START: Duration = Duration::from_secs(20);

type Lines = Arc<Mutex<Vec<String>>>;

/// A running broker. It ends, by its own handle, when this value is dropped.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    public: SocketAddr,
    admin: SocketAddr,
    lines: Lines,
    reader: Option<JoinHandle<()>>,
    setup: Setup,
}

/// A broker that ended instead of starting.
#[derive(Debug)]
pub struct Refused {
    /// Its exit code; `None` when it had to be killed.
    pub code: Option<i32>,
    /// What it wrote.
    pub log: String,
}

impl Setup {
    /// Writes the configuration and starts the broker; returns when it says that it is ready.
    #[must_use]
    pub fn start(&self) -> Broker {
        match self.launch() {
            Ok(broker) => broker,
            Err(refused) => {
                panic!("the broker did not start, exit code {:?}:\n{}", refused.code, refused.log)
            }
        }
    }

    /// Starts a broker that is expected to refuse.
    #[must_use]
    pub fn start_refused(&self) -> Refused {
        match self.launch() {
            Ok(broker) => panic!("the broker started:\n{}", broker.log()),
            Err(refused) => refused,
        }
    }

    fn launch(&self) -> Result<Broker, Refused> {
        self.write_config();
        let mut child = Command::new(binary())
            .args(["serve", "--config"])
            .arg(self.config_file())
            .current_dir(self.home())
            .env_clear()
            .envs(self.environment().iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the broker's binary can be run");
        let lines = Lines::default();
        let (found, bound) = mpsc::channel();
        let stderr = child.stderr.take().expect("stderr is piped");
        let collected = Arc::clone(&lines);
        let reader = thread::spawn(move || collect(stderr, &collected, &found));
        let Some((public, admin)) = addresses(&bound) else {
            let _ = child.kill();
            let code = child.wait().ok().and_then(|status| status.code());
            let _ = reader.join();
            let log = text(&lines);
            return Err(Refused { code, log });
        };
        let broker =
            Broker { child, public, admin, lines, reader: Some(reader), setup: self.clone() };
        assert!(
            eventually(START, || broker.ready() == Some(200)),
            "the broker is not ready:\n{}",
            broker.log()
        );
        Ok(broker)
    }
}

impl Broker {
    /// Where clients call.
    #[must_use]
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where operators look.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What it was started with, for a further start on the same folder.
    #[must_use]
    pub fn setup(&self) -> Setup {
        self.setup.clone()
    }

    /// Everything that it wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        text(&self.lines)
    }

    /// The status of `/health/ready`; `None` when nobody answers.
    #[must_use]
    pub fn ready(&self) -> Option<u16> {
        self.admin_get("/health/ready").map(|answer| answer.status)
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        let answer = self.admin_get("/metrics").expect("metrics are served");
        assert_eq!(answer.status, 200);
        answer.text()
    }

    /// Asks it to stop.
    pub fn sigterm(&self) {
        self.signal("-TERM");
    }

    /// Asks it to read its configuration again.
    pub fn sighup(&self) {
        self.signal("-HUP");
    }

    /// Ends it without a warning.
    pub fn sigkill(&self) {
        self.signal("-KILL");
    }

    /// Waits for its end; the exit code, or `None` when it did not end by itself in time.
    pub fn wait(&mut self, within: Duration) -> Option<i32> {
        let mut status = None;
        eventually(within, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    /// Ends it without a warning and starts it again on the same folder.
    #[must_use]
    pub fn restart(self) -> Self {
        let setup = self.setup();
        drop(self);
        setup.start()
    }

    /// What must hold after every single case: the broker is ready, the answer is no fault of
    /// its own, a failure has our envelope, and nothing secret stands in the log or in the
    /// answer to a failure.
    pub fn sound(&self, answer: &Answer, canaries: &[&str]) {
        answer.assert_envelope();
        assert_eq!(self.ready(), Some(200), "not ready any more:\n{}", self.log());
        let log = self.log();
        let body = answer.text();
        for canary in canaries {
            assert!(!log.contains(canary), "{canary} stands in the log:\n{log}");
            assert!(
                answer.status < 400 || !body.contains(canary),
                "{canary} stands in the answer: {body}"
            );
        }
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("the command `kill` can be run");
        assert!(status.success(), "no such process");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A broker that the tests of one file share. It ends with the last test that uses it: a value
/// in a plain static would never be dropped, and its process would stay behind.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Weak<Broker>>);

impl Shared {
    /// Not started yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// The shared broker, started if no other test has it running.
    pub fn get(&self, setup: impl FnOnce() -> Setup) -> Arc<Broker> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(broker) = slot.upgrade() {
            return broker;
        }
        let broker = Arc::new(setup().start());
        *slot = Arc::downgrade(&broker);
        broker
    }
}

/// The built broker: named by `VESTIBULE_BIN`, or beside the folder of this test.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("VESTIBULE_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the path of this test");
    let built =
        test.parent().and_then(|folder| folder.parent()).map(|folder| folder.join("vestibule"));
    match built {
        Some(path) if path.is_file() => path,
        _ => panic!("build the workspace first: cargo build --workspace"),
    }
}

fn collect(stderr: ChildStderr, lines: &Lines, found: &Sender<(SocketAddr, SocketAddr)>) {
    let mut reader = BufReader::new(stderr);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if let Some(pair) = listening(&line) {
            let _ = found.send(pair);
        }
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// Both addresses, when the line is the one that names them.
fn listening(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let address = |name: &str| {
        line.get(name).or_else(|| line.get("fields")?.get(name))?.as_str()?.parse().ok()
    };
    Some((address("public")?, address("admin")?))
}

/// `None` when the broker ended or said nothing in time.
fn addresses(bound: &Receiver<(SocketAddr, SocketAddr)>) -> Option<(SocketAddr, SocketAddr)> {
    // The sender is kept by the reading thread, which ends with the process: a refusal is
    // noticed at once. A short grace lets a process that is about to exit do so by itself.
    match bound.recv_timeout(START) {
        Ok(pair) => Some(pair),
        Err(_) => {
            thread::sleep(Duration::from_millis(200));
            None
        }
    }
}

fn text(lines: &Lines) -> String {
    lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
}
