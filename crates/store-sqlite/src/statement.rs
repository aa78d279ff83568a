//! What is asked of the tables of accounts, identities and devices. Each function that writes
//! runs within the writer's transaction.

use rusqlite::{Connection, Params, Row, params};
use uuid::Uuid;
use vestibule_core::ids::{InstanceId, UserId};
use vestibule_core::payload::{AppProfile, Username};
use vestibule_core::ports::Timestamp;
use vestibule_core::store::{
    Account, DeviceKey, ExternalKey, Found, IdentityKey, MAX_DEVICES, MAX_LOGINS, NewAccount,
    ProfilePatch, Registration, StoreError, StoreResult, StoredDevice,
};

use crate::row::{
    account, account_columns, attributes_text, device, found, found_columns, logins_text, refused,
};

const FIND: &str = concat!(
    "SELECT ",
    found_columns!(),
    " FROM identity i JOIN account a ON a.project = i.project AND a.id = i.account
      WHERE i.project = ?1 AND i.instance = ?2 AND i.issuer = ?3 AND i.subject = ?4"
);
const FIND_BY_EXTERNAL: &str = concat!(
    "SELECT ",
    found_columns!(),
    " FROM identity i JOIN account a ON a.project = i.project AND a.id = i.account
      WHERE i.project = ?1 AND i.external_key = ?2 AND i.instance = ?3"
);
const ACCOUNT: &str =
    concat!("SELECT ", account_columns!(), " FROM account a WHERE a.project = ?1 AND a.id = ?2");
const DEVICES: &str = "SELECT device_key, shown, sign_up, last_login FROM device
    WHERE project = ?1 AND account = ?2 ORDER BY sign_up, device_key";

const INSERT_ACCOUNT: &str = "INSERT INTO account
    (project, id, username, app_profile, sign_up, updated_at, logins, revision)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const INSERT_IDENTITY: &str = "INSERT INTO identity
    (project, instance, issuer, subject, account, external_key, attributes, adapter_data, linked_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const SEEN_DEVICE: &str = "UPDATE device SET last_login = ?4
    WHERE project = ?1 AND account = ?2 AND device_key = ?3";
const INSERT_DEVICE: &str = "INSERT INTO device
    (project, account, device_key, shown, sign_up, last_login)
    VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
const PRUNE_DEVICES: &str = "DELETE FROM device WHERE project = ?1 AND account = ?2
    AND device_key IN (
        SELECT device_key FROM device WHERE project = ?1 AND account = ?2
        ORDER BY last_login DESC, sign_up DESC, device_key LIMIT -1 OFFSET ?3)";
const UPDATE_LOGINS: &str = "UPDATE account SET logins = ?3 WHERE project = ?1 AND id = ?2";
const UPDATE_IDENTITY: &str = "UPDATE identity SET attributes = ?5, adapter_data = ?6
    WHERE project = ?1 AND instance = ?2 AND issuer = ?3 AND subject = ?4";
const UPDATE_ACCOUNT: &str = "UPDATE account
    SET username = ?3, app_profile = ?4, updated_at = ?5, revision = ?6
    WHERE project = ?1 AND id = ?2";

/// In the order that the references between the tables ask for.
const ERASE: [&str; 3] = [
    "DELETE FROM device WHERE project = ?1 AND account = ?2",
    "DELETE FROM identity WHERE project = ?1 AND account = ?2",
    "DELETE FROM account WHERE project = ?1 AND id = ?2",
];

pub(crate) fn find(
    connection: &Connection,
    project: Uuid,
    key: &IdentityKey,
) -> StoreResult<Option<Found>> {
    one(
        connection,
        FIND,
        params![
            project.as_bytes(),
            key.instance.as_str(),
            key.issuer.as_str(),
            key.subject.as_str()
        ],
        found,
    )
}

pub(crate) fn find_by_external(
    connection: &Connection,
    project: Uuid,
    instance: &InstanceId,
    external: &ExternalKey,
) -> StoreResult<Option<Found>> {
    one(
        connection,
        FIND_BY_EXTERNAL,
        params![project.as_bytes(), external.0, instance.as_str()],
        found,
    )
}

fn find_account(
    connection: &Connection,
    project: Uuid,
    id: UserId,
) -> StoreResult<Option<Account>> {
    one(connection, ACCOUNT, params![project.as_bytes(), id.uuid().as_bytes()], account)
}

pub(crate) fn devices(
    connection: &Connection,
    project: Uuid,
    id: UserId,
) -> StoreResult<Vec<StoredDevice>> {
    let mut statement = connection.prepare_cached(DEVICES).map_err(refused)?;
    let mut rows =
        statement.query(params![project.as_bytes(), id.uuid().as_bytes()]).map_err(refused)?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next().map_err(refused)? {
        devices.push(device(row)?);
    }
    Ok(devices)
}

/// Deletes an account with all that refers to it; whether there was one.
pub(crate) fn erase(connection: &Connection, project: Uuid, id: UserId) -> StoreResult<bool> {
    let mut erased = 0;
    for sql in ERASE {
        erased = write(connection, sql, params![project.as_bytes(), id.uuid().as_bytes()])?;
    }
    Ok(erased > 0)
}

pub(crate) fn create(
    connection: &Connection,
    project: Uuid,
    new: NewAccount,
) -> StoreResult<Registration> {
    let account = Account {
        id: new.id,
        username: new.username,
        app_profile: new.app_profile.unwrap_or_else(AppProfile::empty),
        sign_up: new.at,
        updated_at: new.at,
        logins: vec![new.at],
        revision: 0,
    };
    write(
        connection,
        INSERT_ACCOUNT,
        params![
            project.as_bytes(),
            account.id.uuid().as_bytes(),
            account.username.as_ref().map(Username::as_str),
            account.app_profile.as_json(),
            account.sign_up.millis(),
            account.updated_at.millis(),
            logins_text(&account.logins),
            account.revision,
        ],
    )?;
    let identity = new.identity;
    write(
        connection,
        INSERT_IDENTITY,
        params![
            project.as_bytes(),
            identity.key.instance.as_str(),
            identity.key.issuer.as_str(),
            identity.key.subject.as_str(),
            account.id.uuid().as_bytes(),
            identity.external.0,
            attributes_text(&identity.attributes)?,
            identity.adapter_data.as_ref().map(|sealed| sealed.0.as_slice()),
            new.at.millis(),
        ],
    )?;
    if let Some(device) = &new.device {
        insert_device(connection, project, account.id, device, new.at)?;
    }
    Ok(Registration { found: Found { account, identity }, created: true })
}

/// Records a login of an identity that has its account. Name and profile stay: they may have
/// been changed since they were first given.
pub(crate) fn sign_in(
    connection: &Connection,
    project: Uuid,
    mut found: Found,
    new: NewAccount,
) -> StoreResult<Registration> {
    note_login(connection, project, &mut found.account, new.device, new.at)?;
    let told = new.identity;
    if !told.attributes.is_empty() || told.adapter_data.is_some() {
        let kept = &mut found.identity;
        if !told.attributes.is_empty() {
            kept.attributes = told.attributes;
        }
        if told.adapter_data.is_some() {
            kept.adapter_data = told.adapter_data;
        }
        write(
            connection,
            UPDATE_IDENTITY,
            params![
                project.as_bytes(),
                kept.key.instance.as_str(),
                kept.key.issuer.as_str(),
                kept.key.subject.as_str(),
                attributes_text(&kept.attributes)?,
                kept.adapter_data.as_ref().map(|sealed| sealed.0.as_slice()),
            ],
        )?;
    }
    Ok(Registration { found, created: false })
}

/// Records a login of an account by its id; `None` when there is no such account.
pub(crate) fn record_login(
    connection: &Connection,
    project: Uuid,
    id: UserId,
    device: (DeviceKey, String),
    at: Timestamp,
) -> StoreResult<Option<Account>> {
    let Some(mut account) = find_account(connection, project, id)? else {
        return Ok(None);
    };
    note_login(connection, project, &mut account, Some(device), at)?;
    Ok(Some(account))
}

/// Adds a login to the account's last ones, and its device.
fn note_login(
    connection: &Connection,
    project: Uuid,
    account: &mut Account,
    device: Option<(DeviceKey, String)>,
    at: Timestamp,
) -> StoreResult<()> {
    account.logins.push(at);
    account.logins.drain(..account.logins.len().saturating_sub(MAX_LOGINS));
    let id = account.id.uuid();
    let logins = logins_text(&account.logins);
    write(connection, UPDATE_LOGINS, params![project.as_bytes(), id.as_bytes(), logins])?;
    keep_device(connection, project, account.id, device, at)
}

fn insert_device(
    connection: &Connection,
    project: Uuid,
    id: UserId,
    (key, shown): &(DeviceKey, String),
    at: Timestamp,
) -> StoreResult<()> {
    let (project, id) = (project.as_bytes(), id.uuid());
    let values = params![project, id.as_bytes(), key.0, shown, at.millis()];
    write(connection, INSERT_DEVICE, values).map(|_| ())
}

fn keep_device(
    connection: &Connection,
    project: Uuid,
    id: UserId,
    device: Option<(DeviceKey, String)>,
    at: Timestamp,
) -> StoreResult<()> {
    let Some(device) = device else {
        return Ok(());
    };
    let account = id.uuid();
    let owner = (project.as_bytes(), account.as_bytes());
    let seen = params![owner.0, owner.1, device.0.0, at.millis()];
    if write(connection, SEEN_DEVICE, seen)? > 0 {
        return Ok(());
    }
    insert_device(connection, project, id, &device, at)?;
    write(connection, PRUNE_DEVICES, params![owner.0, owner.1, MAX_DEVICES as i64]).map(|_| ())
}

pub(crate) fn update(
    connection: &Connection,
    project: Uuid,
    id: UserId,
    patch: ProfilePatch,
    at: Timestamp,
) -> StoreResult<Option<Account>> {
    let Some(mut account) = find_account(connection, project, id)? else {
        return Ok(None);
    };
    if patch.expected_revision.is_some_and(|expected| expected != account.revision) {
        return Err(StoreError::Conflict);
    }
    if patch.username.is_none() && patch.app_profile.is_none() {
        return Ok(Some(account));
    }
    account.username = patch.username.or(account.username);
    account.app_profile = patch.app_profile.unwrap_or(account.app_profile);
    account.updated_at = at;
    account.revision += 1;
    write(
        connection,
        UPDATE_ACCOUNT,
        params![
            project.as_bytes(),
            id.uuid().as_bytes(),
            account.username.as_ref().map(Username::as_str),
            account.app_profile.as_json(),
            account.updated_at.millis(),
            account.revision,
        ],
    )?;
    Ok(Some(account))
}

/// The record of the one row that a statement finds, if it finds one.
fn one<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: fn(&Row<'_>) -> StoreResult<T>,
) -> StoreResult<Option<T>> {
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let mut rows = statement.query(values).map_err(refused)?;
    rows.next().map_err(refused)?.map(read).transpose()
}

/// How many rows a statement changed.
fn write(connection: &Connection, sql: &str, values: impl Params) -> StoreResult<usize> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(values))
        .map_err(refused)
}
