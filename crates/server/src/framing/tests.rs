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
    for chunks in ["3;x=y\r\nabc\r\n", "3 \r\nabc\r\n", "3\nabc\r\n", "\r\n", "-1\r\n", "0x3\r\n"] {
        chunks_refused(chunks);
    }
    for chunks in ["000000003\r\nabc", "3\r\nabcd", "3\r\nabc\n", "0\r\nX: y\r\n\r\n", "0\r\n\n"] {
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
    for bytes in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GE", "T / HTTP/1.1\r\nHost: a\r\n\r\n"] {
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
