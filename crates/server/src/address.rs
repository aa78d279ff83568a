//! Who calls: the address that limits and logs go by.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV4};

use http::header::HeaderMap;
use ipnet::IpNet;

/// The address of the client.
///
/// A peer that is not a trusted proxy is the client, whatever it claims. Behind a trusted one,
/// the client is the last address in the forwarding header that is not itself a trusted proxy.
/// Whenever that cannot be told for certain the answer is the peer: callers that a proxy cannot
/// tell apart share its address, and nobody gets to choose one.
///
/// When a request carries both `Forwarded` and `X-Forwarded-For` they must agree. A proxy writes
/// one of them and passes the other on as the client sent it, so believing either by a fixed
/// preference would let clients choose their address behind half of all proxies.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let forwarded = last_untrusted(headers, "forwarded", trusted, each_forwarded);
    let listed = last_untrusted(headers, "x-forwarded-for", trusted, each_listed);
    match (forwarded, listed) {
        (Hop::Client(one), Hop::Absent) | (Hop::Absent, Hop::Client(one)) => one,
        (Hop::Client(one), Hop::Client(other)) if one == other => one,
        _ => peer,
    }
}

/// The network that a limit counts as one caller: a single IPv4 address, but 64 bits of an IPv6
/// one, because every subscriber commands at least so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientNet(IpAddr);

impl ClientNet {
    /// The network of an address.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        })
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// What a forwarding header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    /// The header is not there, or names trusted proxies only.
    Absent,
    Client(IpAddr),
    /// The element that should have been the client is not an address.
    Unclear,
}

/// Reads from the left and remembers the last element that is not a trusted proxy, which is the
/// first of them from the right. What stands left of it is the client's own tale and never counts.
fn last_untrusted(
    headers: &HeaderMap,
    name: &str,
    trusted: &[IpNet],
    each: fn(&str, &mut dyn FnMut(Option<IpAddr>)),
) -> Hop {
    let mut hop = Hop::Absent;
    for value in headers.get_all(name) {
        let mut visit = |element: Option<IpAddr>| match element.map(|one| one.to_canonical()) {
            Some(address) if is_trusted(address, trusted) => {}
            Some(address) => hop = Hop::Client(address),
            None => hop = Hop::Unclear,
        };
        match value.to_str() {
            Ok(text) => each(text, &mut visit),
            Err(_) => visit(None),
        }
    }
    hop
}

/// The elements of an `X-Forwarded-For`.
fn each_listed(text: &str, visit: &mut dyn FnMut(Option<IpAddr>)) {
    for element in text.split(',') {
        visit(node_address(element.trim()));
    }
}

/// The elements of a `Forwarded`. RFC 7239 §4.
fn each_forwarded(text: &str, visit: &mut dyn FnMut(Option<IpAddr>)) {
    let mut rest = text;
    loop {
        let mut node = None;
        let mut is_clear = true;
        // One element: pairs with semicolons between them.
        let more_elements = loop {
            let Some((name, value, after)) = pair(rest) else {
                // An open or misplaced quote may hide the elements that follow, so nothing more
                // of this line can be told.
                return visit(None);
            };
            if name.eq_ignore_ascii_case("for") {
                is_clear &= node.replace(value).is_none();
            }
            match after.as_bytes().first() {
                Some(b';') => rest = skip_first(after),
                Some(b',') => {
                    rest = skip_first(after);
                    break true;
                }
                _ => break false,
            }
        };
        visit(node.filter(|_| is_clear).and_then(node_address));
        if !more_elements {
            return;
        }
    }
}

/// Splits `name=value` or `name="value"` off the front: the name, the value and the rest, which
/// is empty or begins with a separator. An element without `=` has an empty value. A value with
/// an escape in it is kept as it is, and so is no address.
fn pair(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim_start();
    let (name, after) = text.split_at(text.find(['=', ';', ',']).unwrap_or(text.len()));
    let Some(value) = after.strip_prefix('=') else {
        return (!name.contains('"')).then_some((name.trim_end(), "", after));
    };
    let (value, rest) = match value.strip_prefix('"') {
        Some(quoted) => {
            let (value, rest) = quoted.split_at(closing_quote(quoted)?);
            (value, skip_first(rest).trim_start())
        }
        None => {
            let (value, rest) = value.split_at(value.find([';', ',']).unwrap_or(value.len()));
            if value.contains('"') {
                return None;
            }
            (value.trim_end(), rest)
        }
    };
    let ends = rest.is_empty() || rest.starts_with([';', ',']);
    (ends && !name.contains('"')).then_some((name, value, rest))
}

fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// Without the first character, which the caller knows to be a single byte.
fn skip_first(text: &str) -> &str {
    text.get(1..).unwrap_or_default()
}

/// An address, with or without a port. Brackets are needed only where a port follows IPv6, since
/// `X-Forwarded-For` usually comes without them. `unknown` and obfuscated names are no addresses.
fn node_address(text: &str) -> Option<IpAddr> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':')?.parse::<u16>().is_ok();
        return if is_whole { address.parse().ok().map(IpAddr::V6) } else { None };
    }
    let with_port = || text.parse::<SocketAddrV4>().ok().map(|socket| IpAddr::V4(*socket.ip()));
    text.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::header::{HeaderMap, HeaderName, HeaderValue};
    use ipnet::IpNet;

    use super::{ClientNet, client_address};

    const PROXY: &str = "10.0.0.1";

    /// The client of a request from `peer` behind the proxies of 10.0.0.0/8 and fd00::/8.
    fn client(peer: &str, lines: &[(&str, &str)]) -> String {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    fn listed(value: &str) -> String {
        client(PROXY, &[("x-forwarded-for", value)])
    }

    fn forwarded(value: &str) -> String {
        client(PROXY, &[("forwarded", value)])
    }

    #[test]
    fn b07_an_untrusted_peer_cannot_choose_its_address() {
        for value in ["1.1.1.1", "2.2.2.2, 3.3.3.3", "a", "", "10.0.0.2"] {
            assert_eq!(client("9.9.9.9", &[("x-forwarded-for", value)]), "9.9.9.9");
            let line = format!("for={value}");
            assert_eq!(client("9.9.9.9", &[("forwarded", &line)]), "9.9.9.9");
        }
    }

    #[test]
    fn b07_behind_a_proxy_the_last_untrusted_address_counts() {
        assert_eq!(listed("8.8.8.8"), "8.8.8.8");
        assert_eq!(listed("1.1.1.1, 8.8.8.8"), "8.8.8.8");
        assert_eq!(listed("1.1.1.1,8.8.8.8 , 10.9.9.9"), "8.8.8.8");
        assert_eq!(listed("8.8.8.8:4711, [fd00::1]:80"), "8.8.8.8");
        assert_eq!(listed("2001:db8::1"), "2001:db8::1");
        assert_eq!(listed(&format!("{}8.8.8.8", "6.6.6.6, ".repeat(500))), "8.8.8.8");
        let lines = [("x-forwarded-for", "8.8.8.8"), ("X-Forwarded-For", "10.0.0.2")];
        assert_eq!(client(PROXY, &lines), "8.8.8.8");
        assert_eq!(client("fd00::7", &lines[..1]), "8.8.8.8");
    }

    #[test]
    fn b07_forwarded_is_read_in_every_spelling() {
        for value in [
            "for=8.8.8.8",
            "For=\"8.8.8.8:4711\"",
            "for=1.1.1.1, FOR=8.8.8.8;proto=https;by=10.0.0.1",
            "proto=http; for=8.8.8.8 ,for=\"[fd00::1]:80\"",
            "for=\"_a,b\", for=8.8.8.8",
            "for=unknown, for=8.8.8.8",
            "secret=\"a\\\",b\";for=8.8.8.8",
            "a, for=8.8.8.8",
        ] {
            assert_eq!(forwarded(value), "8.8.8.8", "{value}");
        }
        assert_eq!(forwarded("for=\"[2001:db8::1]\""), "2001:db8::1");
        let lines = [("forwarded", "for=\"1.1.1.1"), ("forwarded", "for=8.8.8.8")];
        assert_eq!(client(PROXY, &lines), "8.8.8.8");
    }

    #[test]
    fn b07_what_is_unclear_falls_back_to_the_peer() {
        for value in ["a", "", "8.8.8.8, a", "8.8.8.8,", "unknown", "1.2.3", "8.8.8.8:99999"] {
            assert_eq!(listed(value), PROXY, "{value:?}");
        }
        for value in ["8.8.8.8, a, 10.0.0.2", "[::1", "[8.8.8.8]", "8.8.8.8\u{e9}", "10.0.0.2"] {
            assert_eq!(listed(value), PROXY, "{value:?}");
        }
        for value in [
            "for=_hidden",
            "proto=https",
            "for=8.8.8.8, proto=https",
            "for=8.8.8.8;for=1.1.1.1",
            "for=\"8.8.8.8",
            "for=\"8.8.8.8\"x",
            "for=9.9.9.9;x=\", for=8.8.8.8",
            "for=9.9.9.9;x=\", for=\"[2001:db8::1]\"",
            "for=9.9.9.9,\"x, for=8.8.8.8",
            "for=8.8\\.8.8",
            "for=",
            "",
        ] {
            assert_eq!(forwarded(value), PROXY, "{value:?}");
        }
    }

    #[test]
    fn b07_two_forwarding_headers_must_agree() {
        let both = |one, other| client(PROXY, &[("forwarded", one), ("x-forwarded-for", other)]);
        assert_eq!(both("for=8.8.8.8", "1.1.1.1, 8.8.8.8"), "8.8.8.8");
        assert_eq!(both("for=1.1.1.1", "8.8.8.8"), PROXY);
        assert_eq!(both("for=8.8.8.8", "a"), PROXY);
    }

    #[test]
    fn b07_a_network_is_one_bucket() {
        let net = |text: &str| ClientNet::of(text.parse::<IpAddr>().unwrap());
        assert_eq!(net("2001:db8::1"), net("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(net("2001:db8::1"), net("2001:db8:0:1::1"));
        assert_eq!(net("::ffff:8.8.8.8"), net("8.8.8.8"));
        assert_ne!(net("8.8.8.8"), net("8.8.8.9"));
    }

    #[test]
    fn b07_a_mapped_address_is_the_one_it_maps() {
        assert_eq!(client("::ffff:9.9.9.9", &[("x-forwarded-for", "1.1.1.1")]), "9.9.9.9");
        assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
        assert_eq!(listed("8.8.8.8, ::ffff:10.0.0.2"), "8.8.8.8");
        assert_eq!(listed("::ffff:8.8.8.8"), "8.8.8.8");
    }
}
