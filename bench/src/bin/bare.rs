//! The limit that reads are measured against: an axum handler that returns fixed bytes.
//!
//! `bare FILE WORKERS` serves the content of FILE at `/` and prints its address.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::ListenerExt;

async fn fixed(State(body): State<&'static [u8]>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], body)
}

#[expect(clippy::print_stdout, reason = "the script that measures reads the address")]
#[expect(clippy::disallowed_methods, reason = "this is the plain server to compare with")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: bare FILE WORKERS")?;
    let workers = arguments.next().ok_or("usage: bare FILE WORKERS")?.parse()?;
    let body: &'static [u8] = Vec::leak(std::fs::read(file)?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let listener = listener.tap_io(|io| {
            let _ = io.set_nodelay(true);
        });
        axum::serve(listener, Router::new().route("/", get(fixed)).with_state(body)).await?;
        Ok(())
    })
}
