//! The transport of one connection: it shows every byte that is read to the framing guard, and it
//! closes a connection whose peer is too slow.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::framing::{ConnState, Framing, Phase};

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// Until the first byte of the next head.
    pub(crate) idle: Duration,
    /// From the first byte of a head to its end.
    pub(crate) head: Duration,
    /// From the end of a head to the end of its body.
    pub(crate) body: Duration,
    /// Without accepting a single byte of an answer.
    pub(crate) write: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
        }
    }
}

/// Wraps a stream. After a deadline, reading or writing fails with [`io::ErrorKind::TimedOut`],
/// and hyper closes the connection.
///
/// Only the peer is timed. A clock starts when there is nothing to read, or no room to write, so
/// a request that waits because the service is busy costs its sender nothing. It also keeps the
/// usual request cheap: one look at the clock, and no change to the timer, which stays armed for
/// an earlier moment and is moved when that moment comes.
#[derive(Debug)]
pub(crate) struct GuardedIo<T> {
    io: T,
    framing: Framing,
    state: Arc<ConnState>,
    deadlines: Deadlines,
    read_since: Option<Instant>,
    write_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<T> GuardedIo<T> {
    /// Whether what is written is thrown away: hyper answers what it cannot parse with an empty
    /// body, and the listener says it better once the connection has ended. An answer that a
    /// service owes is never thrown away.
    fn is_muted(&self) -> bool {
        self.state.refusal().is_some() && !self.state.owes_an_answer()
    }

    /// The stream, with its deadlines gone.
    pub(crate) fn into_inner(self) -> T {
        self.io
    }

    /// Wraps a fresh stream and reports to `state`.
    pub(crate) fn new(io: T, state: Arc<ConnState>, deadlines: Deadlines) -> Self {
        Self {
            io,
            framing: Framing::default(),
            state,
            deadlines,
            read_since: None,
            write_since: None,
            timer: None,
        }
    }

    fn observe(&mut self, bytes: &[u8]) {
        let turn = self.framing.turns();
        if let Err(refusal) = self.framing.observe(bytes) {
            self.state.refuse(refusal);
        }
        if self.framing.turns() != turn {
            self.read_since = None;
        }
    }

    fn wait_to_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let patience = match self.framing.phase() {
            Phase::Idle => self.deadlines.idle,
            Phase::Head => self.deadlines.head,
            Phase::Body => self.deadlines.body,
        };
        let since = *self.read_since.get_or_insert_with(Instant::now);
        self.wait_until(since + patience, cx)
    }

    /// Passes the outcome of a write on, unless the peer has accepted nothing for too long.
    fn wait_to_write(
        &mut self,
        outcome: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            self.write_since = None;
            return outcome;
        }
        let since = *self.write_since.get_or_insert_with(Instant::now);
        self.wait_until(since + self.deadlines.write, cx).map(|late| late.map(|()| 0))
    }

    /// Pending until the deadline, an error from then on. Reading and writing share the timer: it
    /// is armed for the earlier of the two, and whoever is polled after it fired arms it anew.
    fn wait_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for GuardedIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let filled = buffer.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                this.observe(buffer.filled().get(filled..).unwrap_or_default());
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.wait_to_read(cx),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for GuardedIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_muted() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let outcome = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.wait_to_write(outcome, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_muted() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let outcome = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.wait_to_write(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        if flushed.is_ready() {
            this.state.flushed();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::{Deadlines, GuardedIo};
    use crate::framing::{ConnState, Refusal};

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn pair() -> (DuplexStream, GuardedIo<DuplexStream>, Arc<ConnState>) {
        let (client, server) = duplex(64);
        let state = Arc::new(ConnState::default());
        (client, GuardedIo::new(server, Arc::clone(&state), Deadlines::default()), state)
    }

    /// Reads until the connection is given up, and tells after how many seconds that was.
    async fn seconds_until_late(io: &mut GuardedIo<DuplexStream>) -> u64 {
        let started = Instant::now();
        let mut buffer = [0; 16];
        loop {
            match io.read(&mut buffer).await {
                Ok(read) => assert!(read > 0, "the peer is still there"),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    return started.elapsed().as_secs();
                }
            }
        }
    }

    /// Sends the start at once, and then one more byte each second for ever.
    async fn dribble(client: &mut DuplexStream, start: &[u8], byte: u8) {
        client.write_all(start).await.unwrap();
        loop {
            sleep(Duration::from_secs(1)).await;
            client.write_all(&[byte]).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn o02_an_idle_connection_is_closed_after_60_seconds() {
        let (mut client, mut io, _) = pair();
        assert_eq!(seconds_until_late(&mut io).await, 60);
        client.write_all(GET).await.unwrap();
        assert_eq!(seconds_until_late(&mut io).await, 60, "a request restarts the clock");
    }

    #[tokio::test(start_paused = true)]
    async fn o02_half_a_head_is_closed_10_seconds_after_its_first_byte() {
        let (mut client, mut io, _) = pair();
        tokio::select! {
            seconds = seconds_until_late(&mut io) => assert_eq!(seconds, 10),
            () = dribble(&mut client, b"GET / HTTP/1.1\r\nX: ", b'y') => unreachable!(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn o02_half_a_body_is_closed_30_seconds_after_its_head() {
        let (mut client, mut io, _) = pair();
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
        tokio::select! {
            seconds = seconds_until_late(&mut io) => assert_eq!(seconds, 30),
            () = dribble(&mut client, head, b'y') => unreachable!(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn o02_a_peer_that_does_not_read_is_closed_after_30_seconds() {
        let (_client, mut io, _) = pair();
        let started = Instant::now();
        let error = io.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!((error.kind(), started.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_in_use_stays_open() {
        let (mut client, mut io, state) = pair();
        let mut buffer = [0; 64];
        for _ in 0..10 {
            let send = async {
                sleep(Duration::from_secs(50)).await;
                client.write_all(GET).await
            };
            let (read, sent) = tokio::join!(io.read(&mut buffer), send);
            assert_eq!(read.unwrap(), GET.len());
            sent.unwrap();
        }
        assert_eq!(state.refusal(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn i13_a_refusal_reaches_the_state_with_the_read() {
        let (mut client, mut io, state) = pair();
        client.write_all(b"GET / HTTP/1.1\nHost: a\n\n").await.unwrap();
        let mut buffer = [0; 64];
        assert!(io.read(&mut buffer).await.unwrap() > 0, "the bytes are not held back");
        assert_eq!(state.refusal(), Some(Refusal::BareLineFeed));
    }
}
