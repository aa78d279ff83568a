//! The rules of a store, one function each; `store_conformance!` writes out a test for each.
//!
//! Every rule begins with an empty store.

mod change;
mod identity;
mod parallel;
mod robust;

pub use change::{
    a_repeated_lookup_sees_every_write, an_erased_identity_registers_anew, devices_are_bounded,
    erase_removes_one_account_whole, stale_revision_is_a_conflict,
    update_changes_only_what_is_given,
};
pub use identity::{
    a_recorded_login_counts, another_instance_or_issuer_is_another_account,
    another_project_sees_nothing, devices_are_listed_oldest_first, existing_refuse_writes_nothing,
    existing_sign_in_records_the_login, found_by_key_and_by_external_key, identity_is_made_once,
    logins_keep_the_last_twenty_oldest_first, sign_in_keeps_what_it_is_not_told, unknown_is_none,
};
pub use parallel::{
    parallel_conditional_updates_have_one_winner, parallel_keys_keep_the_first,
    parallel_lookups_see_every_acknowledged_write,
    parallel_registers_of_many_identities_make_them_all,
    parallel_registers_of_one_identity_make_one_account,
};
pub use robust::{
    a_closed_store_refuses, a_ready_store_has_nothing_queued, a_refused_write_leaves_nothing,
    text_survives_to_the_letter, times_before_1970_survive,
};

use uuid::Uuid;
use vestibule_core::identity::{Attributes, Existing, Issuer, Subject};
use vestibule_core::ids::{InstanceId, ProjectId, UserId};
use vestibule_core::payload::{AppProfile, Username};
use vestibule_core::ports::Timestamp;
use vestibule_core::store::{
    AccountStore, DeviceKey, ExternalKey, Found, IdentityKey, NewAccount, StoredIdentity,
};

use crate::conformance::Broken;

/// The project of most rules.
pub(crate) fn project() -> ProjectId {
    ProjectId::new(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001))
}

/// Another project of the same store.
pub(crate) fn other_project() -> ProjectId {
    ProjectId::new(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002))
}

pub(crate) fn user(n: u8) -> UserId {
    UserId::new(Uuid::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0000 + u128::from(n)))
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// What a sample that must be there is; without it, the rule cannot be checked.
pub(crate) fn given<T>(sample: Option<T>, what: &str) -> Result<T, Broken> {
    sample.ok_or_else(|| Broken::new(format!("expected {what}")))
}

pub(crate) fn instance() -> Result<InstanceId, Broken> {
    given(InstanceId::new("simplified", "anonymous"), "a valid instance")
}

pub(crate) fn username(text: &str) -> Result<Username, Broken> {
    given(Username::parse(text), "a valid name")
}

pub(crate) fn app_profile(json: &str) -> Result<AppProfile, Broken> {
    given(AppProfile::from_json(json), "a valid app profile")
}

pub(crate) fn key(n: u8) -> Result<IdentityKey, Broken> {
    Ok(IdentityKey {
        instance: instance()?,
        issuer: Issuer::new("https://issuer.example"),
        subject: given(Subject::parse(&format!("subject-{n}")), "a valid subject")?,
    })
}

pub(crate) fn external(n: u8) -> ExternalKey {
    ExternalKey([n; 32])
}

pub(crate) fn device(n: u8) -> (DeviceKey, String) {
    (DeviceKey([n; 32]), format!("{n:08x}"))
}

/// User number `n` on device number `n`, at the moment `n` seconds.
pub(crate) fn new_account(n: u8) -> Result<NewAccount, Broken> {
    Ok(NewAccount {
        id: user(n),
        identity: StoredIdentity {
            key: key(n)?,
            external: external(n),
            attributes: Attributes::from([("nickname".to_owned(), "Harvey".into())]),
            adapter_data: None,
        },
        device: Some(device(n)),
        username: None,
        app_profile: None,
        existing: Existing::SignIn,
        at: Timestamp::from_secs(i64::from(n)),
    })
}

/// What the store holds under a key that must be there.
pub(crate) async fn must_find(
    accounts: &dyn AccountStore,
    key: &IdentityKey,
) -> Result<Found, Broken> {
    given(accounts.find(key).await?, "the identity to be found")
}
