//! From rows to records. A row that no version of this program can have written is an error
//! that names the table and the column, never their content.

use rusqlite::types::FromSql;
use rusqlite::{ErrorCode, Row, ffi};
use uuid::Uuid;
use vestibule_core::identity::{Attributes, Issuer, Subject};
use vestibule_core::ids::{InstanceId, UserId};
use vestibule_core::payload::{AppProfile, Username};
use vestibule_core::ports::Timestamp;
use vestibule_core::store::{
    Account, DeviceKey, ExternalKey, Found, IdentityKey, Sealed, StoreError, StoreResult,
    StoredDevice, StoredIdentity,
};

/// The columns that [`account`] reads, of `account a`.
macro_rules! account_columns {
    () => {
        "a.id, a.username, a.app_profile, a.sign_up, a.updated_at, a.logins, a.revision"
    };
}

/// The columns that [`found`] reads, of `account a` and `identity i`.
macro_rules! found_columns {
    () => {
        concat!(
            $crate::row::account_columns!(),
            ", i.instance, i.issuer, i.subject, i.external_key, i.attributes, i.adapter_data"
        )
    };
}

pub(crate) use {account_columns, found_columns};

/// What an error of SQLite means to a caller of the store.
pub(crate) fn refused(error: rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(cause, _) = &error {
        if matches!(
            cause.extended_code,
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        ) {
            return StoreError::Conflict;
        }
        if matches!(cause.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) {
            return StoreError::Corrupt { table: "database", what: error.to_string() };
        }
    }
    StoreError::Unavailable(error.to_string())
}

/// The value of one column.
pub(crate) fn column<T: FromSql>(
    row: &Row<'_>,
    index: usize,
    table: &'static str,
    name: &'static str,
) -> StoreResult<T> {
    row.get(index).map_err(|_| impossible(table, name))
}

/// The account in the first columns of a row.
pub(crate) fn account(row: &Row<'_>) -> StoreResult<Account> {
    const TABLE: &str = "account";
    let username = column::<Option<String>>(row, 1, TABLE, "username")?
        .map(|text| Username::parse(&text).ok_or_else(|| impossible(TABLE, "username")))
        .transpose()?;
    let app_profile = AppProfile::from_json(&column::<String>(row, 2, TABLE, "app_profile")?)
        .ok_or_else(|| impossible(TABLE, "app_profile"))?;
    let logins: Vec<i64> = serde_json::from_str(&column::<String>(row, 5, TABLE, "logins")?)
        .map_err(|_| impossible(TABLE, "logins"))?;
    Ok(Account {
        id: UserId::new(Uuid::from_bytes(column(row, 0, TABLE, "id")?)),
        username,
        app_profile,
        sign_up: time(row, 3, TABLE, "sign_up")?,
        updated_at: time(row, 4, TABLE, "updated_at")?,
        logins: logins.into_iter().map(Timestamp::from_millis).collect(),
        revision: column(row, 6, TABLE, "revision")?,
    })
}

/// The account and the identity of a joined row.
pub(crate) fn found(row: &Row<'_>) -> StoreResult<Found> {
    const TABLE: &str = "identity";
    let instance = column::<String>(row, 7, TABLE, "instance")?
        .split_once('/')
        .and_then(|(strategy, provider)| InstanceId::new(strategy, provider))
        .ok_or_else(|| impossible(TABLE, "instance"))?;
    let subject = Subject::parse(&column::<String>(row, 9, TABLE, "subject")?)
        .ok_or_else(|| impossible(TABLE, "subject"))?;
    let attributes: Attributes =
        serde_json::from_str(&column::<String>(row, 11, TABLE, "attributes")?)
            .map_err(|_| impossible(TABLE, "attributes"))?;
    Ok(Found {
        account: account(row)?,
        identity: StoredIdentity {
            key: IdentityKey {
                instance,
                issuer: Issuer::new(column::<String>(row, 8, TABLE, "issuer")?),
                subject,
            },
            external: ExternalKey(column(row, 10, TABLE, "external_key")?),
            attributes,
            adapter_data: column::<Option<Vec<u8>>>(row, 12, TABLE, "adapter_data")?.map(Sealed),
        },
    })
}

/// The device of a row with its key, shown part, sign-up and last login.
pub(crate) fn device(row: &Row<'_>) -> StoreResult<StoredDevice> {
    const TABLE: &str = "device";
    Ok(StoredDevice {
        key: DeviceKey(column(row, 0, TABLE, "device_key")?),
        shown: column(row, 1, TABLE, "shown")?,
        sign_up: time(row, 2, TABLE, "sign_up")?,
        last_login: time(row, 3, TABLE, "last_login")?,
    })
}

/// The text that the column of login times holds.
pub(crate) fn logins_text(logins: &[Timestamp]) -> String {
    let millis: Vec<String> = logins.iter().map(|at| at.millis().to_string()).collect();
    format!("[{}]", millis.join(","))
}

/// The text that the column of attributes holds.
pub(crate) fn attributes_text(attributes: &Attributes) -> StoreResult<String> {
    serde_json::to_string(attributes)
        .map_err(|error| StoreError::Unavailable(format!("attributes cannot be kept: {error}")))
}

fn time(
    row: &Row<'_>,
    index: usize,
    table: &'static str,
    name: &'static str,
) -> StoreResult<Timestamp> {
    column(row, index, table, name).map(Timestamp::from_millis)
}

fn impossible(table: &'static str, name: &'static str) -> StoreError {
    StoreError::Corrupt { table, what: format!("{name} holds what it cannot hold") }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_row_that_cannot_be_is_named_and_not_shown() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = "SELECT x'00', 'canary', '{}', 1, 1, '[]', 1";
        let mut statement = connection.prepare(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let error = account(rows.next().unwrap().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "corrupt row in account: id holds what it cannot hold");
    }
}
