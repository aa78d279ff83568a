use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ::metrics::{Counter, Gauge};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{ConnInfo, Drained, ListenOptions, Trouble, accept_loop};
use crate::guarded_io::Deadlines;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn options(max_connections: usize) -> ListenOptions {
    ListenOptions {
        name: "test",
        max_connections,
        farewell: std::sync::Arc::new(|why| Bytes::from(format!("{why:?}"))),
        draining: std::sync::Arc::default(),
        deadlines: Deadlines::default(),
        grace: Duration::from_secs(5),
        connections: Gauge::noop(),
        refused: Counter::noop(),
    }
}

fn serve(
    _request: Request<Incoming>,
    info: ConnInfo,
) -> std::future::Ready<Result<Response<Full<Bytes>>, Infallible>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"ok")));
    if info.state.refusal().is_some() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    if info.state.must_close() {
        let close = http::HeaderValue::from_static("close");
        response.headers_mut().insert(http::header::CONNECTION, close);
    }
    std::future::ready(Ok(response))
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn read_to_close(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

#[tokio::test]
async fn i13_the_service_learns_that_the_framing_is_refused() {
    let (listener, address) = bind().await;
    let (stop, stopped) = watch::channel(false);
    let client = async {
        let mut good = send(address, GET).await;
        assert!(read_some(&mut good).await.starts_with("HTTP/1.1 200 "));
        let headers = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close";
        let bad = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n0\r\n\r\n");
        let answer = read_to_close(send(address, &bad).await).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        stop.send(true).unwrap();
    };
    let (drained, ()) = tokio::join!(accept_loop(listener, serve, options(10), stopped), client);
    assert_eq!(drained, Drained { served: 2, turned_away: 0, aborted: 0 });
}

#[tokio::test]
async fn o03_above_the_cap_a_connection_is_told_so() {
    let (listener, address) = bind().await;
    let (stop, stopped) = watch::channel(false);
    let client = async {
        let mut first = send(address, GET).await;
        assert!(read_some(&mut first).await.starts_with("HTTP/1.1 200 "));
        let answer = read_to_close(send(address, GET).await).await;
        assert_eq!(answer, "Overloaded");
        drop(first);
        loop {
            let answer = read_to_close(send(address, CLOSE).await).await;
            if answer.starts_with("HTTP/1.1 200 ") {
                break;
            }
        }
        stop.send(true).unwrap();
    };
    let (drained, ()) = tokio::join!(accept_loop(listener, serve, options(1), stopped), client);
    assert_eq!((drained.served, drained.aborted), (2, 0));
    assert!(drained.turned_away >= 1);
}

#[tokio::test]
async fn z01_what_the_kernel_accepted_before_the_stop_is_served() {
    let (listener, address) = bind().await;
    let (_stop, stopped) = watch::channel(true);
    let (first, second) = (send(address, GET).await, send(address, GET).await);
    let drained = accept_loop(listener, serve, options(10), stopped).await;
    assert_eq!(drained, Drained { served: 2, turned_away: 0, aborted: 0 });
    for stream in [first, second] {
        let answer = read_to_close(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
}

#[test]
fn o03_without_descriptors_the_loop_waits_longer_each_time() {
    const EMFILE: i32 = 24;
    let mut trouble = Trouble::default();
    let mut pause = || trouble.pause_after(&io::Error::from_raw_os_error(EMFILE), "test");
    let pauses: Vec<u128> = (0..6).map(|_| pause().as_millis()).collect();
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1000]);
    let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
    assert_eq!(trouble.pause_after(&gone, "test"), Duration::ZERO);
}
