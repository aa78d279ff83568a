//! The one thread that writes.
//!
//! It takes whatever is queued into one transaction, so that many writes share one sync of the
//! disk, and answers only when the commit has returned.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use vestibule_core::store::{StoreError, StoreResult};

/// How many writes may wait. More are refused at once, so that callers learn of it early.
const QUEUE: usize = 1024;

/// How many writes share a transaction at most.
const BATCH: usize = 256;

/// How long a caller waits for its write. Longer than two attempts to get the lock of the file,
/// so that a write queued behind a failing batch learns its own fate.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a call after [`Writer::close`] is told.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".to_owned())
}

/// The way to the writing thread.
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Work>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    depth: Arc<AtomicUsize>,
}

impl Writer {
    /// Starts the thread. It owns the lock file, so the file stays ours until the last write is
    /// done and the connection closed.
    pub(crate) fn start(connection: Connection, lock: File) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(connection, jobs, lock))?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            depth: Arc::new(AtomicUsize::new(0)),
        })
    }

    /// Has a write done in a transaction and waits until it is on disk. When the write answers
    /// an error, nothing of it stays.
    pub(crate) async fn submit<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
    {
        self.submit_within(PATIENCE, work, |_| ()).await
    }

    /// As [`Writer::submit`], and calls `committed` between the commit and the answer, also when
    /// the caller has given up by then.
    pub(crate) async fn submit_telling<T, F, C>(&self, work: F, committed: C) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        self.submit_within(PATIENCE, work, committed).await
    }

    /// As [`Writer::submit`], with another patience. A write whose caller gave up before its
    /// turn is not done.
    pub(crate) async fn submit_within<T, F, C>(
        &self,
        limit: Duration,
        work: F,
        committed: C,
    ) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Box::new(Pending {
            work: Some(work),
            outcome: None,
            committed,
            reply,
            ticket: Ticket::new(&self.depth),
        }))?;
        match timeout(limit, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(StoreError::Unavailable("the writer has stopped".to_owned())),
            Err(_) => Err(StoreError::Unavailable("the write was not done in time".to_owned())),
        }
    }

    /// How many writes were accepted and not yet answered.
    pub(crate) fn depth(&self) -> usize {
        self.depth.load(Ordering::Relaxed)
    }

    /// Refuses further writes, finishes the accepted ones and waits until the file is closed.
    pub(crate) async fn close(&self) {
        self.stop();
        let thread = locked(&self.thread).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the writer of the store ended in a panic");
            }
        }
    }

    fn enqueue(&self, job: Box<dyn Work>) -> StoreResult<()> {
        match locked(&self.queue).as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => {
                Err(StoreError::Unavailable("too many writes are waiting".to_owned()))
            }
            Some(Err(TrySendError::Closed(_))) => {
                Err(StoreError::Unavailable("the writer has stopped".to_owned()))
            }
            None => Err(closed()),
        }
    }

    fn stop(&self) {
        locked(&self.queue).take();
    }
}

impl Drop for Writer {
    /// Waits for the thread, so that whoever dropped the store can open the file again.
    fn drop(&mut self) {
        self.stop();
        let thread = locked(&self.thread).take();
        if let Some(thread) = thread {
            // A panic of the thread was told to every caller that waited for it.
            let _ = thread.join();
        }
    }
}

/// No panic can happen while one of these locks is held, so a poisoned one is sound.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A write that waits for its turn, whatever it answers.
trait Work: Send {
    /// Whether nobody waits for the answer any more.
    fn abandoned(&self) -> bool;

    /// Does the write; whether it shall stay.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Answers the caller, once the transaction is on disk or lost.
    fn answer(self: Box<Self>, committed: Result<(), &str>);
}

struct Pending<T, F, C> {
    committed: C,
    work: Option<F>,
    outcome: Option<StoreResult<T>>,
    reply: oneshot::Sender<StoreResult<T>>,
    ticket: Ticket,
}

impl<T, F, C> Work for Pending<T, F, C>
where
    T: Send,
    F: FnOnce(&Connection) -> StoreResult<T> + Send,
    C: FnOnce(&T) + Send,
{
    fn abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        // A fault in one write must not end the thread, and with it every later write.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(connection)))
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the write panicked".to_owned())));
        let stays = outcome.is_ok();
        self.outcome = Some(outcome);
        stays
    }

    fn answer(self: Box<Self>, committed: Result<(), &str>) {
        let Self { work: _, outcome, committed: tell, reply, ticket } = *self;
        let outcome = match (committed, outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Unavailable("the write was not run".to_owned())),
            // Also a refusal is void: it may rest on what was rolled back.
            (Err(why), _) => Err(StoreError::Unavailable(why.to_owned())),
        };
        if let Ok(value) = &outcome {
            tell(value);
        }
        drop(ticket);
        // The caller may have given up meanwhile; then nobody is to be told.
        let _ = reply.send(outcome);
    }
}

/// Counts one accepted write for as long as it is not answered.
struct Ticket(Arc<AtomicUsize>);

impl Ticket {
    fn new(depth: &Arc<AtomicUsize>) -> Self {
        depth.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(depth))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The thread: ends when the queue is closed and empty.
fn run(connection: Connection, mut jobs: mpsc::Receiver<Box<dyn Work>>, lock: File) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        batch.retain(|job| !job.abandoned());
        if batch.is_empty() {
            continue;
        }
        let committed = transact(&connection, &mut batch);
        if committed.is_err() && !connection.is_autocommit() {
            // When even this fails, the next batch tries it again before it begins.
            let _ = connection.execute_batch("ROLLBACK");
        }
        for job in batch.drain(..) {
            job.answer(committed.as_ref().map(|_| ()).map_err(String::as_str));
        }
    }
    if let Err(error) = checkpoint(&connection) {
        tracing::warn!(%error, "the write-ahead log was not emptied; the next start reads it");
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database file was not closed cleanly");
    }
    drop(lock);
}

/// Does a batch in one transaction. A write that is refused is undone alone.
fn transact(connection: &Connection, batch: &mut [Box<dyn Work>]) -> Result<(), String> {
    let step = |sql: &str| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    if !connection.is_autocommit() {
        step("ROLLBACK")?;
    }
    step("BEGIN IMMEDIATE")?;
    for job in batch {
        step("SAVEPOINT job")?;
        let stays = job.run(connection);
        // SQLite itself ends the whole transaction on some errors, a full disk among them.
        // Going on would write outside of any transaction.
        if connection.is_autocommit() {
            return Err("the disk is full or failed, the writes were undone".to_owned());
        }
        if !stays {
            step("ROLLBACK TO job")?;
        }
        step("RELEASE job")?;
    }
    step("COMMIT")
}

/// Moves everything from the write-ahead log to the database file and empties the log.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> (Writer, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("db")).unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)").unwrap();
        let lock = File::create(dir.path().join("lock")).unwrap();
        (Writer::start(connection, lock).unwrap(), dir)
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> StoreResult<()> + Send + 'static {
        move |connection| {
            connection
                .execute("INSERT INTO t VALUES (?1)", [n])
                .map(|_| ())
                .map_err(crate::row::refused)
        }
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_write_only() {
        let (writer, _dir) = writer();
        let error = writer
            .submit(|connection| -> StoreResult<()> {
                connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
                panic!("on purpose")
            })
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        // What the panicking write had inserted is gone: the same key can be taken.
        writer.submit(insert(1)).await.unwrap();
        assert_eq!(writer.depth(), 0);
    }

    #[tokio::test]
    async fn a_write_whose_caller_gave_up_is_not_done() {
        let (writer, _dir) = writer();
        let (reply, answer) = oneshot::channel();
        drop(answer);
        let ticket = Ticket::new(&writer.depth);
        writer
            .enqueue(Box::new(Pending {
                work: Some(insert(1)),
                outcome: None,
                committed: |(): &()| (),
                reply,
                ticket,
            }))
            .unwrap();
        writer.submit(insert(1)).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_accepted_is_finished_at_the_end() {
        let (writer, dir) = writer();
        let pending: Vec<_> = (0..50).map(|n| writer.submit(insert(n))).collect();
        let mut pending: Vec<_> = pending.into_iter().map(Box::pin).collect();
        for write in &mut pending {
            // Polled once: queued, and not awaited any further before the close.
            let queued = poll_once(write.as_mut()).await;
            assert!(queued.is_none_or(|outcome| outcome.is_ok()));
        }
        writer.close().await;
        let connection = Connection::open(dir.path().join("db")).unwrap();
        let count: i64 =
            connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 50);
        assert!(writer.submit(insert(99)).await.is_err());
    }

    async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
