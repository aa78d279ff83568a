//! Accepts the connections of one listener, serves them, and drains them at the end.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ::metrics::{Counter, Gauge};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::framing::{ConnState, HEAD_LIMIT, Refusal};
use crate::guarded_io::{Deadlines, GuardedIo};

/// How much of a connection is read ahead. hyper answers 431 to a head that does not fit.
const READ_BUFFER: usize = 32 * 1024;

/// How long open connections may still send a request after the stop signal, so that what is on
/// the wire at that moment is answered instead of reset.
const LINGER: Duration = Duration::from_millis(250);

/// How long a connection that was turned away may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);

/// How much of what a peer still sends is read after the last answer.
const MAX_DISCARDED: usize = 8 * 1024 * 1024;

/// How many connections are told why they are turned away. Beyond it they are only closed.
const MAX_FAREWELLS: usize = 64;

/// More connections than any queue of the kernel holds for us.
const MAX_WAITING: usize = 4096;

/// What a listener needs besides its socket and its service.
#[derive(Clone)]
pub(crate) struct ListenOptions {
    /// The name in logs.
    pub(crate) name: &'static str,
    /// Connections above this number are answered 503 and closed.
    pub(crate) max_connections: usize,
    /// Makes the answers that no service gives.
    pub(crate) farewell: Arc<dyn Fn(Farewell) -> Bytes + Send + Sync>,
    /// Set before the stop signal: from then on every answer ends its connection, so that clients
    /// move away while the listener is still open.
    pub(crate) draining: Arc<AtomicBool>,
    /// How long peers may take.
    pub(crate) deadlines: Deadlines,
    /// How long connections may take to finish after the stop signal.
    pub(crate) grace: Duration,
    /// Counts the open connections.
    pub(crate) connections: Gauge,
    /// Counts the connections that were turned away.
    pub(crate) refused: Counter,
}

/// Why a connection is answered without a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// Too many connections are open.
    Overloaded,
    /// What came is no request, so there is nothing that a service could be asked.
    Refused(Refusal),
}

/// Who sent a request, and what the framing guard thinks of the connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnInfo {
    /// The other end of the connection.
    pub(crate) peer: SocketAddr,
    /// What the framing guard has seen.
    pub(crate) state: Arc<ConnState>,
}

/// What became of the connections of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    /// Connections served.
    pub(crate) served: u64,
    /// Connections turned away at the cap.
    pub(crate) turned_away: u64,
    /// Connections that had not finished within the grace period and were cut.
    pub(crate) aborted: usize,
}

/// Serves until `stop` is true or its sender is gone, then drains: connections that the kernel
/// has accepted are still served, the listener closes, and every open connection may finish what
/// it is doing. Returns when no connection is left.
pub(crate) async fn accept_loop<S, F, B>(
    listener: TcpListener,
    service: S,
    options: ListenOptions,
    mut stop: watch::Receiver<bool>,
) -> Drained
where
    S: Fn(Request<Incoming>, ConnInfo) -> F + Clone + Send + Unpin + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + Unpin + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut door = Door::new(service, options);
    let mut trouble = Trouble::default();
    loop {
        tokio::select! {
            biased;
            () = signalled(&mut stop) => break,
            Some(ended) = door.connections.join_next(), if !door.connections.is_empty() => {
                report_panic(door.options.name, ended);
            }
            Some(_) = door.farewells.join_next(), if !door.farewells.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    trouble.ends();
                    door.admit(stream, peer);
                }
                Err(error) => {
                    let pause = trouble.pause_after(&error, door.options.name);
                    tokio::select! {
                        biased;
                        () = signalled(&mut stop) => break,
                        () = sleep(pause) => {}
                    }
                }
            },
        }
    }
    door.drain(listener).await
}

/// A service's answer under way, and the word of it to the connection.
struct Serving<F> {
    answer: F,
    state: Arc<ConnState>,
}

impl<F: Future + Unpin> Future for Serving<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let answered = Pin::new(&mut self.answer).poll(cx);
        if answered.is_ready() {
            self.state.answered();
        }
        answered
    }
}

struct Door<S> {
    service: S,
    http: http1::Builder,
    options: ListenOptions,
    draining: Arc<AtomicBool>,
    closing: watch::Sender<bool>,
    connections: JoinSet<()>,
    farewells: JoinSet<()>,
    drained: Drained,
}

impl<S, F, B> Door<S>
where
    S: Fn(Request<Incoming>, ConnInfo) -> F + Clone + Send + Unpin + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + Unpin + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn new(service: S, options: ListenOptions) -> Self {
        Self {
            service,
            http: http_builder(),
            draining: Arc::clone(&options.draining),
            options,
            closing: watch::Sender::new(false),
            connections: JoinSet::new(),
            farewells: JoinSet::new(),
            drained: Drained::default(),
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let name = self.options.name;
        while let Some(ended) = self.connections.try_join_next() {
            report_panic(name, ended);
        }
        if self.connections.len() >= self.options.max_connections {
            self.turn_away(stream);
            return;
        }
        self.drained.served += 1;
        // This fails only when the peer is gone already, which the first read will notice.
        let _ = stream.set_nodelay(true);
        let state = Arc::new(ConnState::new(Arc::clone(&self.draining)));
        let io = GuardedIo::new(stream, Arc::clone(&state), self.options.deadlines);
        let (seen, farewell) = (Arc::clone(&state), Arc::clone(&self.options.farewell));
        let (service, info) = (self.service.clone(), ConnInfo { peer, state });
        let service = service_fn(move |request: Request<Incoming>| {
            info.state.begins();
            Serving { answer: service(request, info.clone()), state: Arc::clone(&info.state) }
        });
        let mut connection = self.http.serve_connection(TokioIo::new(io), service);
        let mut closing = self.closing.subscribe();
        let open = Open::new(self.options.connections.clone());
        self.connections.spawn(async move {
            let _open = open;
            // The connection comes first: a request that has arrived is read before the signal
            // to close is obeyed.
            let ended = tokio::select! {
                biased;
                ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => ended,
                () = signalled(&mut closing) => {
                    Pin::new(&mut connection).graceful_shutdown();
                    poll_fn(|cx| connection.poll_without_shutdown(cx)).await
                }
            };
            if let Err(error) = &ended {
                tracing::debug!(listener = name, error = %error, "a connection ended early");
            }
            let stream = connection.into_parts().io.into_inner().into_inner();
            let last = match seen.untold_refusal() {
                Some(refusal) => Some(Farewell::Refused(refusal)),
                // Whoever let the time run out is not waiting for an answer.
                _ if ended.is_err_and(|error| timed_out(&error)) => return,
                _ => None,
            };
            let last = last.map(|why| farewell(why)).unwrap_or_default();
            let _ = timeout(FAREWELL, say_and_close(stream, last)).await;
        });
    }

    fn turn_away(&mut self, stream: TcpStream) {
        self.drained.turned_away += 1;
        self.options.refused.increment(1);
        while self.farewells.try_join_next().is_some() {}
        if self.farewells.len() < MAX_FAREWELLS {
            let answer = (self.options.farewell)(Farewell::Overloaded);
            self.farewells.spawn(async move {
                // A peer that does not wait for the answer has chosen not to have it.
                let _ = timeout(FAREWELL, say_and_close(stream, answer)).await;
            });
        }
    }

    async fn drain(mut self, listener: TcpListener) -> Drained {
        self.draining.store(true, Ordering::Release);
        self.admit_waiting(listener);
        let started = Instant::now();
        // hyper closes a connection on which it has seen no byte. Give it the time to look.
        self.wait_for_connections(LINGER).await;
        self.closing.send_replace(true);
        self.wait_for_connections(self.options.grace.saturating_sub(started.elapsed())).await;
        self.drained.aborted = self.connections.len();
        self.connections.shutdown().await;
        self.farewells.shutdown().await;
        if self.drained.aborted > 0 {
            tracing::warn!(
                listener = self.options.name,
                connections = self.drained.aborted,
                "connections were cut because they did not finish in time"
            );
        }
        self.drained
    }

    /// Takes what the kernel has accepted so far, and closes the listener. The system call is
    /// made directly, because the runtime may not have heard yet that somebody is waiting.
    fn admit_waiting(&mut self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else {
            return;
        };
        // The bound keeps a flood of new connections from putting off the end for ever.
        for _ in 0..MAX_WAITING {
            match listener.accept() {
                Ok((stream, peer)) => {
                    let ready = stream.set_nonblocking(true);
                    if let Ok(stream) = ready.and_then(|()| TcpStream::from_std(stream)) {
                        self.admit(stream, peer);
                    }
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(_) => return,
            }
        }
    }

    async fn wait_for_connections(&mut self, limit: Duration) {
        let name = self.options.name;
        let all = async {
            while let Some(ended) = self.connections.join_next().await {
                report_panic(name, ended);
            }
        };
        // Whoever is left after the limit is the caller's concern.
        let _ = timeout(limit, all).await;
    }
}

/// The limit on the number of headers stays at hyper's default of 100, because setting it moves
/// the headers of every request to the heap. The transport keeps the time, so hyper needs none.
fn http_builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.keep_alive(true)
        .half_close(false)
        // Off: it leaves an answer unwritten while the next request waits in the buffer, and the
        // connection may end there.
        .pipeline_flush(false)
        .max_buf_size(READ_BUFFER)
        .max_header_size(HEAD_LIMIT)
        // The broker's clock dates the answers; hyper's panics outside the years 1970 to 9999.
        .auto_date_header(false)
        .header_read_timeout(None::<Duration>);
    http
}

async fn say_and_close(mut stream: TcpStream, answer: Bytes) -> io::Result<()> {
    stream.write_all(&answer).await?;
    close(stream).await
}

/// Ends a connection so that the peer can still read the answer: closing a socket with unread
/// bytes resets it, and a reset may overtake the answer. So the rest of what the peer sends is
/// read and thrown away, up to a bound.
async fn close(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut sink = vec![0; 16 * 1024];
    let mut left = MAX_DISCARDED;
    while left > 0 {
        match stream.read(&mut sink).await? {
            0 => break,
            length => left = left.saturating_sub(length),
        }
    }
    Ok(())
}

/// Whether a connection ended because its peer was too slow.
fn timed_out(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

async fn signalled(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|on| *on).await;
}

fn report_panic(name: &'static str, ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(listener = name, "a connection ended in a panic");
    }
}

/// Counts a connection for as long as it lives, however it ends.
struct Open(Gauge);

impl Open {
    fn new(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// What to do while the system has no descriptor or memory for another connection: wait a little
/// longer each time, because trying at once would only spin, and say so once a second.
#[derive(Debug, Default)]
struct Trouble {
    pause: Duration,
    logged: Option<Instant>,
}

impl Trouble {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);
    const BETWEEN_LOGS: Duration = Duration::from_secs(1);

    fn ends(&mut self) {
        self.pause = Duration::ZERO;
    }

    fn pause_after(&mut self, error: &io::Error, name: &'static str) -> Duration {
        if concerns_one_connection(error) {
            return Duration::ZERO;
        }
        self.pause = (self.pause * 2).clamp(Self::SHORTEST, Self::LONGEST);
        if self.logged.is_none_or(|at| at.elapsed() >= Self::BETWEEN_LOGS) {
            self.logged = Some(Instant::now());
            tracing::error!(listener = name, error = %error, "cannot accept connections");
        }
        self.pause
    }
}

/// The peer gave up while it waited to be accepted. The next one may well be there.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests;
