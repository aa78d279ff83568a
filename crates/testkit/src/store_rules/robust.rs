//! What a store takes, and how it refuses.

use vestibule_core::payload::AppProfile;
use vestibule_core::store::{KeyName, NewAccount, Sealed, StoreError, StoreResult, Stores};

use super::{
    app_profile, at, device, external, instance, key, must_find, new_account, project, user,
    username,
};
use crate::conformance::Rule;

/// Names, profiles and attributes come back as they were given, byte for byte.
pub async fn text_survives_to_the_letter(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let numbers = r#"{"z":1.0,"a":9007199254740993,"e":1e2,"n":-0,"t":"\u00e9 ' \" \\ 🦊"#;
    let filler = "x".repeat(AppProfile::MAX - numbers.len() - 2);
    let long = format!("{numbers}{filler}\"}}");
    assert_eq!(long.len(), AppProfile::MAX);

    let mut new = new_account(1)?;
    new.username = Some(username("Ha'rv\"ey; DROP TABLE account;-- 🦊 \u{202e}e\u{301}")?);
    new.app_profile = Some(app_profile(&long)?);
    new.identity.attributes.insert("名前".to_owned(), "Zoë\u{0}\n\\".into());
    new.identity.attributes.insert("list".to_owned(), vec![1_i64, i64::MIN, i64::MAX].into());
    let expected = new.clone();
    accounts.find_or_create(new).await?;

    let found = must_find(accounts.as_ref(), &key(1)?).await?;
    assert_eq!(found.account.username, expected.username);
    assert!(Some(&found.account.app_profile) == expected.app_profile.as_ref());
    assert_eq!(found.identity, expected.identity);
    Ok(())
}

/// Any time can be kept: clocks jump, also before 1970.
pub async fn times_before_1970_survive(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let moments = [-1, -86_400_001, i64::MIN, i64::MAX];
    for moment in moments {
        let login = NewAccount { at: at(moment), ..new_account(1)? };
        accounts.find_or_create(login).await?;
    }
    let account = must_find(accounts.as_ref(), &key(1)?).await?.account;
    assert_eq!(account.sign_up, at(-1));
    assert_eq!(account.logins, moments.map(at));
    let devices = accounts.devices(user(1)).await?;
    assert!(devices.iter().all(|device| device.last_login == at(i64::MAX)));
    Ok(())
}

/// A write that cannot be made whole is a conflict, and no part of it stays.
pub async fn a_refused_write_leaves_nothing(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let made = accounts.find_or_create(new_account(1)?).await?.found;

    let mut same_external = new_account(2)?;
    same_external.identity.external = external(1);
    let refused = accounts.find_or_create(same_external).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");

    let same_id = NewAccount { id: user(1), ..new_account(3)? };
    let refused = accounts.find_or_create(same_id).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");

    assert_eq!(accounts.find(&key(2)?).await?, None);
    assert_eq!(accounts.find(&key(3)?).await?, None);
    assert!(accounts.devices(user(2)).await?.is_empty());
    assert_eq!(accounts.devices(user(1)).await?.len(), 1);
    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?, made);
    assert!(accounts.find_or_create(new_account(2)?).await?.created);
    Ok(())
}

/// A store that nobody writes to takes a write and has none waiting.
pub async fn a_ready_store_has_nothing_queued(stores: &dyn Stores) -> Rule {
    stores.ready().await?;
    stores.accounts(project()).find_or_create(new_account(1)?).await?;
    assert_eq!(stores.queue_depth(), 0);
    Ok(())
}

/// After the close every call is refused, also through handles from before; to close again
/// does nothing.
pub async fn a_closed_store_refuses(stores: &dyn Stores) -> Rule {
    fn refused<T>(answer: StoreResult<T>) -> bool {
        matches!(answer, Err(StoreError::Unavailable(_)))
    }

    let (accounts, keys) = (stores.accounts(project()), stores.keys(project()));
    accounts.find_or_create(new_account(1)?).await?;
    stores.close().await;
    stores.close().await;
    assert!(refused(accounts.find(&key(1)?).await));
    assert!(refused(accounts.find_by_external(&instance()?, &external(1)).await));
    assert!(refused(accounts.find_or_create(new_account(2)?).await));
    assert!(refused(accounts.devices(user(1)).await));
    assert!(refused(accounts.record_login(user(1), device(1), at(1)).await));
    assert!(refused(accounts.erase(user(1)).await));
    assert!(refused(keys.find(KeyName::Identity).await));
    assert!(refused(keys.find_or_create(KeyName::Identity, Sealed(vec![1])).await));
    assert!(refused(stores.accounts(project()).find(&key(1)?).await));
    assert!(refused(stores.ready().await));
    Ok(())
}
