//! Checks how the two listeners and the public URL go together.

use std::net::{IpAddr, SocketAddr};

use super::explain::Said;
use super::key_path::KeyPath;
use super::report::Report;
use super::validate::Config;

/// Checks the addresses against each other, once each of them is known to be sound by itself.
pub(crate) fn check(config: &Config, report: &mut Report<'_>) {
    let server = KeyPath::parse("server.listen");
    let admin = KeyPath::parse("admin.listen");
    if clash(config.listen, config.admin) {
        let said = Said::new(format!(
            "server.listen \"{}\" and admin.listen \"{}\" need the same port",
            config.listen, config.admin
        ));
        let path = if report.is_set(&admin) { &admin } else { &server };
        report.error(path, said.help("give one of them another port"));
    }
    if !is_own_network(config.admin.ip()) {
        let said = Said::new("health and metrics can be reached from other networks")
            .help("choose a loopback or private address: this listener asks for no credential");
        report.warning(&admin, said);
    }
    // Port 0 has the system choose one, so nobody can know the right one beforehand.
    if let Some(port) = loopback_port(&config.public_url)
        && config.listen.port() != 0
        && config.listen.port() != port
    {
        let public = KeyPath::parse("server.public_url");
        let path = if report.is_set(&public) { &public } else { &server };
        let said = Said::new(format!(
            "public_url leads to port {port} of this machine, and listen has port {}",
            config.listen.port()
        ));
        report.warning(
            path,
            said.help(
                "set server.public_url to what browsers use, else the pages at /docs cannot call",
            ),
        );
    }
}

/// Whether the system would refuse to open both.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    // An unspecified IPv6 address takes IPv4 too, an unspecified IPv4 address only its own kind.
    let covers = |a: SocketAddr, b: SocketAddr| {
        a.ip() == b.ip() || (a.ip().is_unspecified() && (a.is_ipv6() || b.is_ipv4()))
    };
    one.port() != 0 && one.port() == other.port() && (covers(one, other) || covers(other, one))
}

/// Whether an address is one that only the machine or its own network reaches.
fn is_own_network(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The port of a URL without TLS that leads to this machine. With TLS there is a proxy in front,
/// whose port says nothing about the listener's.
fn loopback_port(url: &str) -> Option<u16> {
    let authority = url.strip_prefix("http://")?;
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon may be one of an IPv6 address, whose bracket then comes after it.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()?),
        _ => (authority, 80),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback =
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback.then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_clash_on_one_port_of_one_address() {
        let clash = |a: &str, b: &str| clash(a.parse().unwrap(), b.parse().unwrap());
        assert!(clash("127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(clash("0.0.0.0:8080", "127.0.0.1:8080"));
        assert!(clash("127.0.0.1:8080", "[::]:8080"));
        assert!(!clash("127.0.0.1:8080", "127.0.0.1:8081"));
        assert!(!clash("127.0.0.1:8080", "127.0.0.2:8080"));
        assert!(!clash("0.0.0.0:8080", "[::1]:8080"));
        assert!(!clash("127.0.0.1:0", "127.0.0.1:0"));
    }

    #[test]
    fn the_port_of_a_url_on_this_machine_is_found() {
        assert_eq!(loopback_port("http://127.0.0.1:8080"), Some(8080));
        assert_eq!(loopback_port("http://localhost"), Some(80));
        assert_eq!(loopback_port("http://[::1]"), Some(80));
        assert_eq!(loopback_port("http://[::1]:9090"), Some(9090));
        assert_eq!(loopback_port("https://localhost:8443"), None);
        assert_eq!(loopback_port("http://login.game.example:8080"), None);
    }

    #[test]
    fn own_networks_are_loopback_and_private() {
        for (address, own) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("::1", true),
            ("fd00::1", true),
            ("::ffff:192.168.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("203.0.113.7", false),
        ] {
            assert_eq!(is_own_network(address.parse().unwrap()), own, "{address}");
        }
    }
}
