//! Making and finding accounts.

use vestibule_core::identity::{Attributes, Existing, Issuer};
use vestibule_core::ids::InstanceId;
use vestibule_core::store::{KeyName, MAX_LOGINS, NewAccount, ProfilePatch, Sealed, Stores};

use super::{
    app_profile, at, device, external, given, instance, key, must_find, new_account, other_project,
    project, user, username,
};
use crate::conformance::Rule;

/// The second registration of an identity finds the account of the first.
pub async fn identity_is_made_once(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let first = accounts.find_or_create(new_account(1)?).await?;
    let again = NewAccount { id: user(2), ..new_account(1)? };
    let second = accounts.find_or_create(again).await?;
    assert!(first.created, "the first call must make the account");
    assert!(!second.created, "the second call must find it");
    assert_eq!(second.found.account.id, user(1));
    assert_eq!(first.found.account.sign_up, at(1000));
    assert_eq!(first.found.account.updated_at, at(1000));
    assert_eq!(first.found.account.logins, [at(1000)], "a registration is the first login");
    assert_eq!(first.found.account.app_profile.as_json(), "{}");
    assert_eq!(first.found.account.username, None);
    Ok(())
}

/// What was made is found, whole, by its key and by its external key.
pub async fn found_by_key_and_by_external_key(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let mut new = new_account(1)?;
    new.username = Some(username("Harvey")?);
    new.app_profile = Some(app_profile(r#"{"level":3}"#)?);
    new.identity.adapter_data = Some(Sealed(vec![0, 1, 255]));
    let made = accounts.find_or_create(new).await?.found;
    accounts.find_or_create(new_account(2)?).await?;
    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?, made);
    let by_external = accounts.find_by_external(&instance()?, &external(1)).await?;
    assert_eq!(by_external, Some(made));
    Ok(())
}

/// What is not there is `None`, empty or `false`, and no error.
pub async fn unknown_is_none(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    assert_eq!(accounts.find(&key(1)?).await?, None);
    assert_eq!(accounts.find_by_external(&instance()?, &external(1)).await?, None);
    assert_eq!(accounts.update(user(1), ProfilePatch::default(), at(0)).await?, None);
    assert!(accounts.devices(user(1)).await?.is_empty());
    assert!(!accounts.erase(user(1)).await?);
    assert_eq!(stores.keys(project()).find(KeyName::Identity).await?, None);
    Ok(())
}

/// A project cannot find, change or erase what belongs to another one.
pub async fn another_project_sees_nothing(stores: &dyn Stores) -> Rule {
    let (ours, theirs) = (stores.accounts(project()), stores.accounts(other_project()));
    let made = ours.find_or_create(new_account(1)?).await?.found;
    let key_of_ours = Sealed(vec![1]);
    stores.keys(project()).find_or_create(KeyName::Identity, key_of_ours.clone()).await?;

    assert_eq!(theirs.find(&key(1)?).await?, None);
    assert_eq!(theirs.find_by_external(&instance()?, &external(1)).await?, None);
    let patch = ProfilePatch { username: Some(username("Mallory")?), ..Default::default() };
    assert_eq!(theirs.update(user(1), patch, at(9)).await?, None);
    assert!(theirs.devices(user(1)).await?.is_empty());
    assert!(!theirs.erase(user(1)).await?);
    assert_eq!(stores.keys(other_project()).find(KeyName::Identity).await?, None);

    let same = NewAccount { id: user(2), ..new_account(1)? };
    assert!(theirs.find_or_create(same).await?.created, "each project has its own users");
    assert!(theirs.erase(user(2)).await?);
    assert_eq!(must_find(ours.as_ref(), &key(1)?).await?, made);
    assert_eq!(ours.devices(user(1)).await?.len(), 1);
    assert_eq!(stores.keys(project()).find(KeyName::Identity).await?, Some(key_of_ours));
    Ok(())
}

/// A subject is only unique within its provider instance and issuer.
pub async fn another_instance_or_issuer_is_another_account(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    accounts.find_or_create(new_account(1)?).await?;

    let elsewhere = given(InstanceId::new("simplified", "noLogin"), "a valid instance")?;
    let mut other_instance = NewAccount { id: user(2), ..new_account(1)? };
    other_instance.identity.key.instance = elsewhere.clone();
    other_instance.identity.external = external(2);
    assert!(accounts.find_or_create(other_instance).await?.created);

    let mut other_issuer = NewAccount { id: user(3), ..new_account(1)? };
    other_issuer.identity.key.issuer = Issuer::new("https://issuer.example/");
    other_issuer.identity.external = external(3);
    assert!(accounts.find_or_create(other_issuer).await?.created);

    let found = accounts.find_by_external(&elsewhere, &external(1)).await?;
    assert_eq!(found, None, "an external id counts at its own instance only");
    Ok(())
}

/// `Existing::Refuse` answers what is there and changes nothing of it.
pub async fn existing_refuse_writes_nothing(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let made = accounts.find_or_create(new_account(1)?).await?.found;
    let mut again = NewAccount { id: user(2), at: at(9_000), ..new_account(1)? };
    again.existing = Existing::Refuse;
    again.device = Some(device(7));
    again.username = Some(username("Mallory")?);
    again.identity.attributes = Attributes::from([("nickname".to_owned(), "Mallory".into())]);
    again.identity.adapter_data = Some(Sealed(vec![7]));
    let answer = accounts.find_or_create(again).await?;
    assert!(!answer.created);
    assert_eq!(answer.found, made);
    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?, made);
    assert_eq!(accounts.devices(user(1)).await?.len(), 1);
    Ok(())
}

/// `Existing::SignIn` records login and device, replaces what the provider says, and keeps name,
/// profile and external key.
pub async fn existing_sign_in_records_the_login(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let mut new = new_account(1)?;
    new.username = Some(username("Harvey")?);
    new.app_profile = Some(app_profile(r#"{"level":3}"#)?);
    new.identity.adapter_data = Some(Sealed(vec![1]));
    let made = accounts.find_or_create(new).await?.found;

    let mut again = NewAccount { id: user(2), at: at(9_000), ..new_account(1)? };
    again.device = Some(device(7));
    again.username = Some(username("Other")?);
    again.app_profile = Some(app_profile(r#"{"level":0}"#)?);
    again.identity.external = external(9);
    again.identity.attributes = Attributes::from([("email".to_owned(), "h@example.com".into())]);
    again.identity.adapter_data = Some(Sealed(vec![2]));
    let attributes = again.identity.attributes.clone();
    let answer = accounts.find_or_create(again).await?;

    assert!(!answer.created);
    let mut expected = made;
    expected.account.logins.push(at(9_000));
    expected.identity.attributes = attributes;
    expected.identity.adapter_data = Some(Sealed(vec![2]));
    assert_eq!(answer.found, expected);
    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?, expected);
    let by_other = accounts.find_by_external(&instance()?, &external(9)).await?;
    assert_eq!(by_other, None, "the external id of the first registration stays");
    assert_eq!(accounts.devices(user(1)).await?.len(), 2);
    Ok(())
}

/// A login that says nothing of attributes and adapter data leaves them.
pub async fn sign_in_keeps_what_it_is_not_told(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let mut new = new_account(1)?;
    new.identity.adapter_data = Some(Sealed(vec![1]));
    let made = accounts.find_or_create(new).await?.found;
    let mut again = new_account(1)?;
    again.identity.attributes = Attributes::new();
    again.identity.adapter_data = None;
    again.device = None;
    let answer = accounts.find_or_create(again).await?;
    assert_eq!(answer.found.identity, made.identity);
    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?.identity, made.identity);
    assert_eq!(accounts.devices(user(1)).await?.len(), 1);
    Ok(())
}

/// A login recorded by the account's id counts as any other, and makes no account.
pub async fn a_recorded_login_counts(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let made = accounts.find_or_create(new_account(1)?).await?.found;
    for millis in [8_000, 9_000] {
        accounts.record_login(user(1), device(7), at(millis)).await?;
    }
    let mut expected = made;
    expected.account.logins.extend([at(8_000), at(9_000)]);
    assert_eq!(must_find(accounts.as_ref(), &key(1)?).await?, expected);
    let devices = accounts.devices(user(1)).await?;
    let added = given(devices.last(), "the device of the login")?;
    assert_eq!(added.key, device(7).0);
    assert_eq!((added.sign_up, added.last_login), (at(8_000), at(9_000)));

    for millis in 1..=25 {
        let account = accounts.record_login(user(1), device(7), at(millis)).await?;
        let account = given(account, "the account")?;
        assert_eq!(account.logins.last(), Some(&at(millis)));
        assert!(account.logins.len() <= MAX_LOGINS);
    }

    assert_eq!(accounts.record_login(user(2), device(7), at(1)).await?, None);
    let theirs = stores.accounts(other_project());
    assert_eq!(theirs.record_login(user(1), device(7), at(1)).await?, None);
    assert!(theirs.devices(user(1)).await?.is_empty());
    Ok(())
}

/// Of many logins the last [`MAX_LOGINS`] are kept, oldest first.
pub async fn logins_keep_the_last_twenty_oldest_first(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    for second in 1..=25 {
        let login = NewAccount { at: at(second * 1_000), ..new_account(1)? };
        accounts.find_or_create(login).await?;
    }
    let logins = must_find(accounts.as_ref(), &key(1)?).await?.account.logins;
    let expected: Vec<_> = (6..=25).map(|second| at(second * 1_000)).collect();
    assert_eq!(logins, expected);
    assert_eq!(logins.len(), MAX_LOGINS);
    Ok(())
}

/// Devices come in the order of their first sign-in, and a further one only moves its last.
pub async fn devices_are_listed_oldest_first(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    for (number, millis) in [(9, 1_000), (3, 2_000), (5, 3_000), (9, 4_000)] {
        let mut login = NewAccount { at: at(millis), ..new_account(1)? };
        login.device = Some(device(number));
        accounts.find_or_create(login).await?;
    }
    let devices = accounts.devices(user(1)).await?;
    let seen: Vec<_> = devices
        .iter()
        .map(|device| (device.shown.as_str(), device.sign_up, device.last_login))
        .collect();
    assert_eq!(
        seen,
        [
            ("00000009", at(1_000), at(4_000)),
            ("00000003", at(2_000), at(2_000)),
            ("00000005", at(3_000), at(3_000)),
        ]
    );
    assert!(devices.first().is_some_and(|first| first.key == device(9).0));
    Ok(())
}
