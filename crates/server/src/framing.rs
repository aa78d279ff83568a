//! The HTTP/1.1 framing guard.
//!
//! hyper accepts a `Content-Length` beside a `Transfer-Encoding`, bare line feeds, absolute
//! targets and any number of `Host` headers, and the evidence is gone by the time a service sees
//! the request. [`Framing`] therefore reads the same bytes as hyper does, without holding them
//! back, and tells the service through [`ConnState`] that the connection must be refused. A
//! refusal is sticky: after it, nobody can say where the next request begins.

use std::mem::{self, MaybeUninit};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use httparse::{Header, Request, Status};

/// The longest request head, request line included. hyper answers 431 beyond it.
pub(crate) const HEAD_LIMIT: usize = 16 * 1024;

/// The number of headers at which hyper answers 431.
const MAX_HEADERS: usize = 100;

/// Enough for 4 GiB, which no chunk of ours comes near.
const MAX_CHUNK_DIGITS: u8 = 8;

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The head does not parse.
    Malformed,
    /// A line ends with LF alone.
    BareLineFeed,
    /// The target is not a path.
    Target,
    /// Not exactly one well-formed `Host`.
    Host,
    /// More than one `Content-Length`, or one that is not a plain number.
    ContentLength,
    /// A `Transfer-Encoding` other than one plain `chunked`, or in HTTP/1.0.
    TransferEncoding,
    /// `Content-Length` beside `Transfer-Encoding`.
    LengthAndEncoding,
    /// A chunk with a bad size, an extension or a trailer.
    Chunk,
    /// The head is longer than [`HEAD_LIMIT`] or has too many headers.
    HeadTooLarge,
}

impl Refusal {
    /// The word for logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BareLineFeed => "bare_line_feed",
            Self::Target => "target",
            Self::Host => "host",
            Self::ContentLength => "content_length",
            Self::TransferEncoding => "transfer_encoding",
            Self::LengthAndEncoding => "length_and_encoding",
            Self::Chunk => "chunk",
            Self::HeadTooLarge => "head_too_large",
        }
    }

    /// Whether the answer is 431 instead of 400.
    pub(crate) const fn is_too_large(self) -> bool {
        matches!(self, Self::HeadTooLarge)
    }
}

/// What the bytes of a connection tell the service that answers its requests.
///
/// The service asks twice: before it acts on a request, and again after it has read the body,
/// because a chunk can be refused long after the head was fine.
#[derive(Debug, Default)]
pub(crate) struct ConnState {
    /// A service is answering.
    in_service: AtomicBool,
    /// An answer is due, or not yet written.
    owed: AtomicBool,
    /// A service says that the connection is refused, or is busy with what came before.
    told: AtomicBool,
    refusal: OnceLock<Refusal>,
    draining: Arc<AtomicBool>,
}

impl ConnState {
    /// The state of a new connection of a listener that drains once the flag is set.
    pub(crate) fn new(draining: Arc<AtomicBool>) -> Self {
        Self { draining, ..Self::default() }
    }

    /// Why every request of this connection must be refused, if so.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get().copied()
    }

    /// Whether the listener has been told to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether the connection ends with the answer: it is refused, or the listener is stopping
    /// and the client should not meet a closed connection later.
    pub(crate) fn must_close(&self) -> bool {
        self.refusal().is_some() || self.is_draining()
    }

    /// A request was given to the service.
    pub(crate) fn begins(&self) {
        if self.refusal().is_some() {
            self.told.store(true, Ordering::Release);
        }
        self.owed.store(true, Ordering::Release);
        self.in_service.store(true, Ordering::Release);
    }

    /// The service has answered.
    pub(crate) fn answered(&self) {
        self.in_service.store(false, Ordering::Release);
    }

    /// Everything that was answered is written.
    pub(crate) fn flushed(&self) {
        if !self.in_service.load(Ordering::Acquire) {
            self.owed.store(false, Ordering::Release);
        }
    }

    /// Whether an answer is still due or on its way.
    pub(crate) fn owes_an_answer(&self) -> bool {
        self.owed.load(Ordering::Acquire)
    }

    /// Why the connection is refused, where no service was asked that could say so: hyper does
    /// not give a service what it cannot parse itself.
    pub(crate) fn untold_refusal(&self) -> Option<Refusal> {
        self.refusal().filter(|_| !self.told.load(Ordering::Acquire))
    }

    /// Refuses the connection. The first reason stays.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        if self.refusal.set(refusal).is_ok() && self.owes_an_answer() {
            self.told.store(true, Ordering::Release);
        }
    }
}

/// Which part of a request the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No byte of the next head has arrived.
    Idle,
    /// Within a head, or refused: what follows deserves no more patience than a head.
    Head,
    /// Within a body.
    Body,
}

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    state: State,
    turns: u32,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    /// The part of a head that has arrived. Only a head that is split over reads is copied.
    Head(Vec<u8>),
    /// The bytes that a body with a length still owes.
    Fixed(u64),
    Chunked(Chunk),
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug)]
enum Chunk {
    Size { size: u64, digits: u8 },
    SizeEnd(u64),
    Data(u64),
    DataCr,
    DataLf,
    LastCr,
    LastLf,
}

impl Framing {
    /// Follows the stream over the next bytes of it.
    ///
    /// # Errors
    ///
    /// The reason to refuse the connection, again at every later call.
    pub(crate) fn observe(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let before = self.phase();
            let outcome = mem::take(&mut self.state).advance(rest);
            let (state, used) = outcome.unwrap_or_else(|refusal| (State::Refused(refusal), 0));
            self.state = state;
            if before == Phase::Idle || before != self.phase() {
                self.turns = self.turns.wrapping_add(1);
            }
            outcome_of(&self.state)?;
            rest = rest.get(used..).unwrap_or_default();
        }
        outcome_of(&self.state)
    }

    /// Where the next byte belongs.
    pub(crate) const fn phase(&self) -> Phase {
        match self.state {
            State::Idle => Phase::Idle,
            State::Head(_) | State::Refused(_) => Phase::Head,
            State::Fixed(_) | State::Chunked(_) => Phase::Body,
        }
    }

    /// A number that changes whenever a new phase begins, even one of the same kind: two requests
    /// that arrive whole are two idle phases.
    pub(crate) const fn turns(&self) -> u32 {
        self.turns
    }
}

const fn outcome_of(state: &State) -> Result<(), Refusal> {
    match state {
        State::Refused(refusal) => Err(*refusal),
        _ => Ok(()),
    }
}

/// The state after some bytes, and how many of them it took.
type Step = Result<(State, usize), Refusal>;

impl State {
    fn advance(self, bytes: &[u8]) -> Step {
        match self {
            Self::Idle => begin(bytes),
            Self::Head(head) => proceed(head, bytes),
            Self::Fixed(owed) => {
                let used = at_most(owed, bytes);
                let owed = owed.saturating_sub(used as u64);
                Ok((if owed == 0 { Self::Idle } else { Self::Fixed(owed) }, used))
            }
            Self::Chunked(chunk) => chunk.advance(bytes),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

impl Chunk {
    const START: Self = Self::Size { size: 0, digits: 0 };

    fn advance(self, bytes: &[u8]) -> Step {
        if let Self::Data(owed) = self {
            let used = at_most(owed, bytes);
            let owed = owed.saturating_sub(used as u64);
            let next = if owed == 0 { Self::DataCr } else { Self::Data(owed) };
            return Ok((State::Chunked(next), used));
        }
        let byte = bytes.first().copied().ok_or(Refusal::Chunk)?;
        let next = match (self, byte) {
            (Self::Size { size, digits }, b'\r') if digits > 0 => Self::SizeEnd(size),
            (Self::Size { size, digits }, _) if digits < MAX_CHUNK_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(Refusal::Chunk)?;
                Self::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
            }
            (Self::SizeEnd(0), b'\n') => Self::LastCr,
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::START,
            (Self::LastCr, b'\r') => Self::LastLf,
            (Self::LastLf, b'\n') => return Ok((State::Idle, 1)),
            _ => return Err(Refusal::Chunk),
        };
        Ok((State::Chunked(next), 1))
    }
}

fn at_most(owed: u64, bytes: &[u8]) -> usize {
    usize::try_from(owed).map_or(bytes.len(), |owed| owed.min(bytes.len()))
}

/// The first bytes of a head. A head that has arrived whole is parsed where it lies.
fn begin(bytes: &[u8]) -> Step {
    // RFC 9112 §2.2: an empty line before a request is skipped, as hyper skips it. Half of one,
    // or a line feed alone, is not.
    match bytes {
        [b'\r'] => return Ok((State::Head(vec![b'\r']), 1)),
        [b'\r', b'\n', ..] => return Ok((State::Idle, 2)),
        [b'\r' | b'\n', ..] => return Err(Refusal::Malformed),
        _ => {}
    }
    match parse_head(bytes)? {
        Some(step) => Ok(step),
        None => proceed(Vec::with_capacity(bytes.len().min(HEAD_LIMIT)), bytes),
    }
}

/// More bytes of a head that is split over reads. Only what is new is searched for its end, so
/// that a head sent byte by byte does not cost the square of its length.
fn proceed(mut head: Vec<u8>, bytes: &[u8]) -> Step {
    let seen = head.len();
    if head == b"\r" {
        // The second half of an empty line, which `begin` left to the next read.
        return match bytes.first() {
            Some(b'\n') => Ok((State::Idle, 1)),
            _ => Err(Refusal::Malformed),
        };
    }
    let room = HEAD_LIMIT.saturating_sub(seen);
    head.extend_from_slice(bytes.get(..room).unwrap_or(bytes));

    let from = seen.saturating_sub(3);
    let end = head
        .get(from..)
        .and_then(|new| new.windows(4).position(|four| four == b"\r\n\r\n"))
        .map(|at| from + at + 4);
    let new = seen.saturating_sub(1)..end.unwrap_or(head.len());
    if has_bare_line_feed(head.get(new).unwrap_or_default()) {
        return Err(Refusal::BareLineFeed);
    }
    match end.and_then(|end| head.get(..end)) {
        Some(whole) => match parse_head(whole)? {
            Some((state, used)) if used == whole.len() => Ok((state, used.saturating_sub(seen))),
            _ => Err(Refusal::Malformed),
        },
        None if head.len() >= HEAD_LIMIT => Err(Refusal::HeadTooLarge),
        None => {
            let used = head.len().saturating_sub(seen);
            Ok((State::Head(head), used))
        }
    }
}

/// Whether a line feed stands without its carriage return. The first byte is taken as context
/// only, because it was looked at before, or is the first of a head and no line feed. Two counts
/// instead of a search, because the compiler turns counts into vector instructions.
fn has_bare_line_feed(bytes: &[u8]) -> bool {
    let after = bytes.get(1..).unwrap_or_default();
    let feeds = after.iter().filter(|byte| **byte == b'\n').count();
    let pairs = bytes.iter().zip(after).filter(|pair| *pair == (&b'\r', &b'\n')).count();
    feeds != pairs
}

/// Parses the head at the start of the bytes: the state of its body and the length of the head,
/// or nothing when more bytes are needed.
fn parse_head(bytes: &[u8]) -> Result<Option<(State, usize)>, Refusal> {
    let mut headers: [MaybeUninit<Header<'_>>; MAX_HEADERS] =
        [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = Request::new(&mut []);
    let used = match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Complete(used)) => used,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        // This covers folded lines, whitespace before a colon, NUL and other control characters
        // in values, and the HTTP/2 preface, whose version is not 1.x.
        Err(_) => return Err(Refusal::Malformed),
    };
    if used > HEAD_LIMIT {
        return Err(Refusal::HeadTooLarge);
    }
    if has_bare_line_feed(bytes.get(..used).unwrap_or_default()) {
        return Err(Refusal::BareLineFeed);
    }
    if !request.path.is_some_and(|target| target.starts_with('/')) {
        return Err(Refusal::Target);
    }
    let state = body_of(request.version, request.headers)?;
    Ok(Some((state, used)))
}

/// How the body is delimited. RFC 9112 §6.3, without everything that it merely tolerates.
fn body_of(version: Option<u8>, headers: &[Header<'_>]) -> Result<State, Refusal> {
    let (mut has_host, mut length, mut chunked) = (false, None, false);
    for header in headers {
        if header.name.eq_ignore_ascii_case("host") {
            if has_host || !is_host(header.value) {
                return Err(Refusal::Host);
            }
            has_host = true;
        } else if header.name.eq_ignore_ascii_case("content-length") {
            let value = content_length(header.value).ok_or(Refusal::ContentLength)?;
            if length.replace(value).is_some() {
                return Err(Refusal::ContentLength);
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || header.value != b"chunked" {
                return Err(Refusal::TransferEncoding);
            }
            chunked = true;
        }
    }
    if !has_host {
        return Err(Refusal::Host);
    }
    match (length, chunked) {
        (Some(_), true) => Err(Refusal::LengthAndEncoding),
        (None, true) if version != Some(1) => Err(Refusal::TransferEncoding),
        (None, true) => Ok(State::Chunked(Chunk::START)),
        (None | Some(0), false) => Ok(State::Idle),
        (Some(length), false) => Ok(State::Fixed(length)),
    }
}

/// Digits only. `parse` alone would accept a sign.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // hyper keeps the largest lengths for marks of its own.
    let length = std::str::from_utf8(value).ok()?.parse().ok()?;
    (length <= i64::MAX as u64).then_some(length)
}

/// `name`, `name:port`, `[v6]` or `[v6]:port`. User information and the rest of what RFC 3986
/// allows in a name have no use here.
fn is_host(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else {
        return false;
    };
    let (is_name_good, port) = match text.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((address, rest)) => (address.parse::<Ipv6Addr>().is_ok(), rest),
            None => return false,
        },
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (!name.is_empty() && name.bytes().all(is_name_byte), port)
        }
    };
    is_name_good && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests;
