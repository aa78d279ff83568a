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
mod tests {
    use proptest::{collection, prop_assert_eq, proptest, sample};

    use super::{Framing, HEAD_LIMIT, Phase, Refusal};

    const GOOD: &[&str] = &[
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /x?y=1 HTTP/1.0\r\nhost: a.example:8080\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]:80\r\nX: \ty\u{e9}\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\na\nb\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\na\nb\r\n00A\r\n0123456789\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
         GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    ];

    fn observe_split(stream: &[u8], cuts: &[usize]) -> (Result<(), Refusal>, Phase) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.push(stream.len());
        cuts.sort_unstable();
        let mut framing = Framing::default();
        let mut verdict = Ok(());
        let mut from = 0;
        for cut in cuts {
            let now = framing.observe(&stream[from..cut]);
            assert!(verdict.is_ok() || now == verdict, "a refusal is sticky");
            verdict = now;
            from = cut;
        }
        (verdict, framing.phase())
    }

    /// The same stream byte by byte, whole, and cut once at every place.
    fn refused(stream: &str, expected: Refusal) {
        let bytes = stream.as_bytes();
        let every: Vec<usize> = (0..bytes.len()).collect();
        for cuts in std::iter::once(&every[..]).chain(every.chunks(1)) {
            let (verdict, _) = observe_split(bytes, cuts);
            assert_eq!(verdict, Err(expected), "{stream:?} cut at {cuts:?}");
        }
    }

    fn head_refused(headers: &str, expected: Refusal) {
        refused(&format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n"), expected);
    }

    fn chunks_refused(chunks: &str) {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        refused(&format!("{head}{chunks}"), Refusal::Chunk);
    }

    #[test]
    fn i13_good_requests_pass() {
        for stream in GOOD {
            let every: Vec<usize> = (0..stream.len()).collect();
            assert_eq!(observe_split(stream.as_bytes(), &[]), (Ok(()), Phase::Idle), "{stream:?}");
            assert_eq!(observe_split(stream.as_bytes(), &every), (Ok(()), Phase::Idle));
        }
    }

    #[test]
    fn i13_content_length_with_transfer_encoding_is_refused() {
        let both = "Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked";
        head_refused(both, Refusal::LengthAndEncoding);
        let other = "Transfer-Encoding: chunked\r\nHost: a\r\nContent-Length: 0";
        head_refused(other, Refusal::LengthAndEncoding);
    }

    #[test]
    fn i13_a_second_or_odd_content_length_is_refused() {
        for value in ["3\r\nContent-Length: 3", "3\r\ncontent-length: 4", "+3", "-1", "", "3, 3"] {
            head_refused(&format!("Host: a\r\nContent-Length: {value}"), Refusal::ContentLength);
        }
        for value in ["0x3", "3 3", "18446744073709551616", "18446744073709551615"] {
            head_refused(&format!("Host: a\r\nContent-Length: {value}"), Refusal::ContentLength);
        }
    }

    #[test]
    fn i13_any_transfer_encoding_but_chunked_is_refused() {
        for value in ["gzip", "gzip, chunked", "chunked, chunked", "xchunked", "Chunked", ""] {
            let headers = format!("Host: a\r\nTransfer-Encoding: {value}");
            head_refused(&headers, Refusal::TransferEncoding);
        }
        let twice = "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked";
        head_refused(twice, Refusal::TransferEncoding);
        let old = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        refused(old, Refusal::TransferEncoding);
    }

    #[test]
    fn i13_not_exactly_one_host_is_refused() {
        for headers in ["X: y", "Host: a\r\nHost: a", "Host: a\r\nhost: b", "Host:"] {
            head_refused(headers, Refusal::Host);
        }
        for host in ["a b", "a/b", "u@a", "a:", "a:b", "a:70000", "[::1", "[a]", "::1", "a,b"] {
            head_refused(&format!("Host: {host}"), Refusal::Host);
        }
        refused("GET / HTTP/1.0\r\n\r\n", Refusal::Host);
    }

    #[test]
    fn i13_a_bare_line_feed_is_refused() {
        refused("GET / HTTP/1.1\nHost: a\r\n\r\n", Refusal::BareLineFeed);
        refused("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", Refusal::BareLineFeed);
        refused("GET / HTTP/1.1\r\nHost: a\r\n\n", Refusal::BareLineFeed);
        refused("GET / HTTP/1.1\nHost: a\n\n", Refusal::BareLineFeed);
    }

    #[test]
    fn i13_a_target_that_is_no_path_is_refused() {
        for line in ["GET http://a/", "OPTIONS *", "CONNECT a:443", "GET a"] {
            refused(&format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Target);
        }
    }

    #[test]
    fn i13_what_does_not_parse_is_refused() {
        for headers in ["Host: a\r\n X: folded", "Host : a", "Host: a\r\nX: y\0", "Host: a\r\nX"] {
            head_refused(headers, Refusal::Malformed);
        }
        head_refused("Host: a\r\nX: y\u{1}z", Refusal::Malformed);
        head_refused("Host: a\r\nX: y\rz", Refusal::Malformed);
        refused("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed);
        refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed);
        refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed);
    }

    #[test]
    fn i14_the_preface_of_http_2_is_refused() {
        refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::Malformed);
    }

    #[test]
    fn i13_odd_chunks_are_refused() {
        for chunks in
            ["3;x=y\r\nabc\r\n", "3 \r\nabc\r\n", "3\nabc\r\n", "\r\n", "-1\r\n", "0x3\r\n"]
        {
            chunks_refused(chunks);
        }
        for chunks in
            ["000000003\r\nabc", "3\r\nabcd", "3\r\nabc\n", "0\r\nX: y\r\n\r\n", "0\r\n\n"]
        {
            chunks_refused(chunks);
        }
    }

    #[test]
    fn i13_a_bad_request_behind_a_good_one_is_refused() {
        for good in GOOD {
            refused(&format!("{good}GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Target);
        }
    }

    #[test]
    fn i20_a_long_head_is_refused() {
        let line = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(HEAD_LIMIT));
        for stream in [line.clone(), format!("{line}\r\n\r\n")] {
            for cuts in [&[0][..], &[100, HEAD_LIMIT - 1][..], &[HEAD_LIMIT][..]] {
                let (verdict, phase) = observe_split(stream.as_bytes(), cuts);
                assert_eq!((verdict, phase), (Err(Refusal::HeadTooLarge), Phase::Head));
            }
        }
        let many = "X: y\r\n".repeat(100);
        head_refused(&format!("Host: a\r\n{many}X: y"), Refusal::HeadTooLarge);
    }

    #[test]
    fn every_request_begins_a_new_phase() {
        let mut framing = Framing::default();
        let mut turns = vec![framing.turns()];
        for bytes in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GE", "T / HTTP/1.1\r\nHost: a\r\n\r\n"]
        {
            framing.observe(bytes.as_bytes()).unwrap();
            turns.push(framing.turns());
        }
        turns.dedup();
        assert_eq!(turns.len(), 4);
    }

    proptest! {
        #[test]
        fn i13_the_verdict_does_not_depend_on_the_reads(
            stream in collection::vec(sample::select(GOOD), 1..4),
            cuts in collection::vec(0usize..1000, 0..8),
        ) {
            let stream = stream.concat();
            prop_assert_eq!(observe_split(stream.as_bytes(), &cuts), (Ok(()), Phase::Idle));
            let bad = format!("{stream}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\
                               Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
            let verdict = observe_split(bad.as_bytes(), &cuts).0;
            prop_assert_eq!(verdict, Err(Refusal::LengthAndEncoding));
        }

        #[test]
        fn i13_arbitrary_bytes_never_panic(
            stream in collection::vec(0u8..=255, 0..300),
            cuts in collection::vec(0usize..300, 0..8),
        ) {
            let _ = observe_split(&stream, &cuts);
        }
    }
}
