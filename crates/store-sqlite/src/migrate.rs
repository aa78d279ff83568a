//! The tables, and how a file of an older version gets them.

use rusqlite::{Connection, TransactionBehavior};

/// Marks a file as ours in its header: `VSTB`. See <https://sqlite.org/fileformat.html> §1.3.16.
pub(crate) const APPLICATION_ID: u32 = 0x5653_5442;

/// In the order of their versions; a published one never changes.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_accounts.sql")];

const TABLES: &[&str] = &["project_key", "account", "identity", "device"];

/// The newest version that this program knows.
pub(crate) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The version of a file.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Runs the migrations that the file does not have yet, each in a transaction that also
/// records its version: after a crash, the next start goes on where this one stopped.
pub(crate) fn run(connection: &mut Connection) -> rusqlite::Result<()> {
    let present = version(connection)?;
    for (version, sql) in (1_i64..).zip(MIGRATIONS) {
        if version <= present {
            continue;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.execute_batch(&format!(
            "PRAGMA user_version = {version}; PRAGMA application_id = {APPLICATION_ID};"
        ))?;
        transaction.commit()?;
    }
    Ok(())
}

/// Whether all tables can be read from.
pub(crate) fn check(connection: &Connection) -> rusqlite::Result<()> {
    for table in TABLES {
        connection.prepare(&format!("SELECT project FROM {table} LIMIT 1"))?.exists([])?;
    }
    Ok(())
}
