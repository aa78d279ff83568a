//! The limit that durable registers are measured against: one thread that writes the same rows
//! as a guest's registration, with group commit, and nothing else.
//!
//! `raw_sqlite DIRECTORY CLIENTS SECONDS` prints writes a second and latencies.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

const SCHEMA: &str = include_str!("../../../crates/store-sqlite/migrations/0001_accounts.sql");
const BATCH: usize = 256;

struct Write {
    done: oneshot::Sender<()>,
}

#[expect(clippy::print_stdout, reason = "the script that measures reads the figures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    const USAGE: &str = "usage: raw_sqlite DIRECTORY CLIENTS SECONDS";
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or(USAGE)?;
    let clients: usize = arguments.next().ok_or(USAGE)?.parse()?;
    let seconds: u64 = arguments.next().ok_or(USAGE)?.parse()?;
    let database = Connection::open(format!("{directory}/raw.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;",
    )?;
    database.execute_batch(SCHEMA)?;
    let (sender, receiver) = mpsc::channel(1024);
    let writer = std::thread::spawn(move || write(&database, receiver));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut latencies = runtime.block_on(drive(sender, clients, Duration::from_secs(seconds)));
    writer.join().map_err(|_| "the writer panicked")?.map_err(|error| error.to_string())?;
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len().saturating_sub(1)) as f64 * share;
        latencies.get(index as usize).copied().unwrap_or_default()
    };
    let rate = latencies.len() as u64 / seconds;
    println!("{rate} {} {}", at(0.5).as_micros(), at(0.99).as_micros());
    Ok(())
}

async fn drive(sender: mpsc::Sender<Write>, clients: usize, within: Duration) -> Vec<Duration> {
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let sender = sender.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while started.elapsed() < within {
                let (done, wait) = oneshot::channel();
                let asked = Instant::now();
                if sender.send(Write { done }).await.is_err() || wait.await.is_err() {
                    break;
                }
                latencies.push(asked.elapsed());
            }
            latencies
        });
    }
    drop(sender);
    tasks.join_all().await.concat()
}

fn write(database: &Connection, mut queue: mpsc::Receiver<Write>) -> rusqlite::Result<()> {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        database.execute_batch("BEGIN IMMEDIATE")?;
        for _ in &batch {
            insert(database)?;
        }
        database.execute_batch("COMMIT")?;
        for write in batch.drain(..) {
            let _ = write.done.send(());
        }
    }
    Ok(())
}

const ACCOUNT: &str = "INSERT INTO account (project, id, username, app_profile, sign_up, \
    updated_at, logins, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const IDENTITY: &str = "INSERT INTO identity (project, instance, issuer, subject, account, \
    external_key, attributes, adapter_data, linked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const DEVICE: &str = "INSERT INTO device (project, account, device_key, shown, sign_up, last_login) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// The three rows of a guest, with values of the same form and size.
fn insert(database: &Connection) -> rusqlite::Result<()> {
    let (project, account) = (Uuid::nil(), Uuid::now_v7());
    let (project, account) = (project.as_bytes().as_slice(), account.as_bytes().as_slice());
    let random = || [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
    let half = || format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let subject = format!("{}.{}", half(), half());
    let now = 1_795_000_000_000_i64;
    let (none, no_data) = (None::<String>, None::<Vec<u8>>);
    let (instance, issuer, logins) = ("simplified/anonymous", "anonymous", "[1795000000000]");
    database
        .prepare_cached(ACCOUNT)?
        .execute(params![project, account, none, "{}", now, now, logins, 1])?;
    database.prepare_cached(IDENTITY)?.execute(params![
        project,
        instance,
        issuer,
        subject,
        account,
        random(),
        "{}",
        no_data,
        now
    ])?;
    database.prepare_cached(DEVICE)?.execute(params![
        project,
        account,
        random(),
        "789f64dc",
        now,
        now
    ])?;
    Ok(())
}
