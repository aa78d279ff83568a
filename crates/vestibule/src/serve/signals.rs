//! What the operating system tells the process.

use std::io;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Listens for the wish to stop, as long as it lives. The first wish lets the server finish;
/// the second ends the process at once.
#[derive(Debug)]
pub(crate) struct Signals {
    first: oneshot::Receiver<()>,
    task: JoinHandle<()>,
}

impl Signals {
    /// Starts to listen. Must be called within a runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut wishes = Wishes::new()?;
        let (sender, first) = oneshot::channel();
        let task = tokio::spawn(async move {
            wishes.next().await;
            tracing::info!("told to stop; a second signal ends the process at once");
            // The receiver is gone only when the server has ended by itself.
            let _ = sender.send(());
            wishes.next().await;
            std::process::exit(1);
        });
        Ok(Self { first, task })
    }

    /// Done at the first wish to stop.
    pub(crate) async fn stop(&mut self) {
        if (&mut self.first).await.is_err() {
            // The task lives as long as this; should it be gone all the same, then nothing may
            // stop the server by accident.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(unix)]
struct Wishes {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Wishes {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Wishes;

#[cfg(not(unix))]
impl Wishes {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Tells when the process is asked to read its configuration again.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Hangup(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangup {
    /// Starts to listen. Must be called within a runtime.
    pub(crate) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::hangup()).ok())
    }

    /// The next time.
    pub(crate) async fn next(&mut self) {
        let heard = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await
        }
    }
}

/// There is no such signal on this system.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Hangup;

#[cfg(not(unix))]
impl Hangup {
    /// Nothing to listen to.
    pub(crate) fn listen() -> Self {
        Self
    }

    /// Never.
    pub(crate) async fn next(&mut self) {
        std::future::pending::<()>().await
    }
}
