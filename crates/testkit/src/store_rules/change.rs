//! Changing and erasing accounts.

use vestibule_core::store::{MAX_DEVICES, NewAccount, ProfilePatch, StoreError, Stores};

use super::{
    app_profile, at, device, external, given, instance, key, must_find, new_account, project, user,
    username,
};
use crate::conformance::{Broken, Rule};

/// A change touches what it names, grows the revision by one and moves the time of change.
pub async fn update_changes_only_what_is_given(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let made = accounts.find_or_create(new_account(1)?).await?.found.account;
    let bystander = accounts.find_or_create(new_account(2)?).await?.found;

    let named = ProfilePatch { username: Some(username("Harvey")?), ..Default::default() };
    let after = given(accounts.update(user(1), named, at(5_000)).await?, "the account")?;
    let mut expected = made;
    expected.username = Some(username("Harvey")?);
    expected.updated_at = at(5_000);
    expected.revision += 1;
    assert_eq!(after, expected);

    let profiled =
        ProfilePatch { app_profile: Some(app_profile(r#"{"a":1}"#)?), ..Default::default() };
    let after = given(accounts.update(user(1), profiled, at(6_000)).await?, "the account")?;
    expected.app_profile = app_profile(r#"{"a":1}"#)?;
    expected.updated_at = at(6_000);
    expected.revision += 1;
    assert_eq!(after, expected);

    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?.account, expected);
    assert_eq!(must_find(accounts.as_ref(), &key(2)?).await?, bystander);
    Ok(())
}

/// An account keeps the devices that signed in last, and no more than [`MAX_DEVICES`].
pub async fn devices_are_bounded(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    accounts.find_or_create(new_account(1)?).await?;
    let more = u8::try_from(MAX_DEVICES + 20)?;
    for n in 1..=more {
        accounts.record_login(user(1), device(n), at(10_000 + i64::from(n))).await?;
    }
    let kept = accounts.devices(user(1)).await?;
    assert_eq!(kept.len(), MAX_DEVICES);
    assert!(kept.iter().any(|one| one.key == device(more).0), "the newest is kept");
    assert!(kept.iter().all(|one| one.key != device(2).0), "an old one is forgotten");
    Ok(())
}

/// What was looked up before is looked up as it stands now, after every kind of write. A store
/// that keeps what it read must not answer from before an acknowledged write.
pub async fn a_repeated_lookup_sees_every_write(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    accounts.find_or_create(new_account(1)?).await?;
    let look =
        async || accounts.find_by_external(&instance()?, &external(1)).await.map_err(Broken::from);
    for round in 0..3_u8 {
        given(look().await?, "the account")?;
        let name = format!("Name {round}");
        let patch = ProfilePatch { username: Some(username(&name)?), ..Default::default() };
        let changed = given(accounts.update(user(1), patch, at(5_000)).await?, "the account")?;
        assert_eq!(given(look().await?, "the account")?.account, changed);
        let noted = accounts.record_login(user(1), device(round), at(6_000)).await?;
        assert_eq!(given(look().await?, "the account")?.account, given(noted, "the account")?);
        let again = accounts.find_or_create(new_account(1)?).await?.found;
        assert_eq!(given(look().await?, "the account")?, again);
    }
    accounts.erase(user(1)).await?;
    assert_eq!(look().await?, None);
    Ok(())
}

/// A change that expects another revision is refused whole.
pub async fn stale_revision_is_a_conflict(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let made = accounts.find_or_create(new_account(1)?).await?.found.account;
    let patch = |name, expected_revision| {
        username(name).map(|username| ProfilePatch {
            username: Some(username),
            app_profile: None,
            expected_revision: Some(expected_revision),
        })
    };
    let fresh = accounts.update(user(1), patch("First", made.revision)?, at(2_000)).await?;
    let fresh = given(fresh, "the account")?;
    let stale = accounts.update(user(1), patch("Second", made.revision)?, at(3_000)).await;
    assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?.account, fresh);
    Ok(())
}

/// Erasing removes account, identities and devices, and nothing of anybody else.
pub async fn erase_removes_one_account_whole(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    accounts.find_or_create(new_account(1)?).await?;
    let bystander = accounts.find_or_create(new_account(2)?).await?.found;
    assert!(accounts.erase(user(1)).await?, "there was one");
    assert!(!accounts.erase(user(1)).await?, "there is none any more");
    assert_eq!(accounts.find(&key(1)?).await?, None);
    assert_eq!(accounts.find_by_external(&instance()?, &external(1)).await?, None);
    assert!(accounts.devices(user(1)).await?.is_empty());
    assert_eq!(accounts.update(user(1), ProfilePatch::default(), at(0)).await?, None);
    assert_eq!(must_find(accounts.as_ref(), &key(2)?).await?, bystander);
    assert_eq!(accounts.devices(user(2)).await?.len(), 1);
    Ok(())
}

/// After it was erased, the same identity is a new user.
pub async fn an_erased_identity_registers_anew(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    accounts.find_or_create(new_account(1)?).await?;
    accounts.erase(user(1)).await?;
    let anew = NewAccount { id: user(2), at: at(9_000), ..new_account(1)? };
    let answer = accounts.find_or_create(anew).await?;
    assert!(answer.created);
    assert_eq!(answer.found.account.id, user(2));
    assert_eq!(answer.found.account.logins, [at(9_000)]);
    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?, answer.found);
    Ok(())
}
