//! Bytes on a socket, for what no client would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::broker::Broker;

/// How long a silent connection is listened to.
const QUIET: Duration = Duration::from_secs(2);

/// What came back on a socket.
#[derive(Debug)]
pub struct Raw {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// Whether the broker closed the connection.
    pub closed: bool,
}

impl Broker {
    /// Sends bytes to the public face, and reads until the broker closes or falls silent.
    ///
    /// A failed write is no failure of the test: a broker may close before it read everything.
    #[must_use]
    pub fn raw(&self, bytes: &[u8]) -> Raw {
        exchange(self.public(), bytes)
    }

    /// Opens a connection to the public face.
    #[must_use]
    pub fn connect(&self) -> TcpStream {
        connect(self.public()).expect("the broker accepts")
    }
}

impl Raw {
    /// Reads what a connection still brings.
    #[must_use]
    pub fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let mut chunk = [0; 8192];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => {
                    return Self { bytes, closed: true };
                }
                Ok(read) => bytes.extend(chunk.iter().take(read)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let closed =
                        !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    return Self { bytes, closed };
                }
            }
        }
    }

    /// Everything as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Statuses and bodies of the whole answers, in their order.
    #[must_use]
    pub fn answers(&self) -> Vec<(u16, String)> {
        let text = self.text();
        let mut rest = text.as_str();
        let mut answers = Vec::new();
        while let Some((head, after)) = rest.split_once("\r\n\r\n") {
            let status = head.get(9..12).and_then(|digits| digits.parse().ok());
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or(0);
            let (Some(status), Some(body)) = (status, after.get(..length)) else {
                break;
            };
            answers.push((status, body.to_owned()));
            rest = after.get(length..).unwrap_or_default();
        }
        answers
    }

    /// The statuses of the whole answers, in their order.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        self.answers().into_iter().map(|(status, _)| status).collect()
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(QUIET))?;
    stream.set_write_timeout(Some(QUIET))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn exchange(address: SocketAddr, bytes: &[u8]) -> Raw {
    let mut stream = connect(address).expect("the broker accepts");
    let _ = stream.write_all(bytes);
    Raw::read(&mut stream)
}
