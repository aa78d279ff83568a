//! Values that are written as text: origins and hosts.

/// An origin as RFC 6454 §6.2 writes it: `scheme://host` and, where it is not the usual one,
/// `:port`. Browsers send nothing else, so anything else would never match.
///
/// # Errors
/// What is wrong with it, to go after "must be".
pub(crate) fn origin(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "scheme://host or scheme://host:port, without path, user or wildcard";
    if text == "null" {
        return Err("an origin of its own: \"null\" is what every sandboxed page sends");
    }
    if text.contains('*') {
        return Err("one exact origin each: wildcards are not supported");
    }
    let (scheme, authority) = text.split_once("://").ok_or(FORM)?;
    let scheme_is_sound = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !scheme_is_sound || !is_authority(authority) {
        return Err(FORM);
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("in lower case, as browsers send it");
    }
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Ok(()),
    };
    if authority.ends_with(usual) {
        return Err("without the scheme's usual port, as browsers send it");
    }
    Ok(())
}

/// Whether a text is `host` or `host:port`, the host being a name, an IPv4 address or an IPv6
/// address in brackets.
pub(crate) fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((address, rest)) = rest.split_once(']') else {
                return false;
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("v6", rest.strip_prefix(':').or((!rest.is_empty()).then_some("?")))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host_is_sound = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let port_is_sound = port.is_none_or(|port| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    host_is_sound && port_is_sound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exactly_what_a_browser_sends() {
        for right in [
            "http://localhost:3000",
            "https://game.example",
            "capacitor://localhost",
            "http://[::1]:8080",
            "http://127.0.0.1",
        ] {
            assert_eq!(origin(right), Ok(()), "{right}");
        }
        for wrong in [
            "null",
            "*",
            "https://*.game.example",
            "https://game.example/",
            "https://game.example/path",
            "https://Game.example",
            "https://game.example:443",
            "http://game.example:80",
            "game.example",
            "https://",
            "https://user@game.example",
            "https://game.example:99999",
            "http://[::1",
            "http://[::1]x",
            "https://game.example?x",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
