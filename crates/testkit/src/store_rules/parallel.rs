//! What must hold when fifty callers come at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::task::JoinSet;
use vestibule_core::store::{
    KeyName, NewAccount, ProfilePatch, Registration, Sealed, StoreError, Stores,
};

use super::{at, external, given, instance, key, must_find, new_account, project, user, username};
use crate::conformance::{Broken, Rule};

const CALLERS: u8 = 50;

async fn register_all(
    stores: &dyn Stores,
    all: Vec<NewAccount>,
) -> Result<Vec<Registration>, Broken> {
    let accounts = stores.accounts(project());
    let mut calls = JoinSet::new();
    for new in all {
        let accounts = Arc::clone(&accounts);
        calls.spawn(async move { accounts.find_or_create(new).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = calls.join_next().await {
        answers.push(answer??);
    }
    Ok(answers)
}

/// Fifty registrations of one identity make one account, and one of them says so.
pub async fn parallel_registers_of_one_identity_make_one_account(stores: &dyn Stores) -> Rule {
    let all = (1..=CALLERS)
        .map(|n| -> Result<_, Broken> { Ok(NewAccount { id: user(n), ..new_account(1)? }) })
        .collect::<Result<_, Broken>>()?;
    let answers = register_all(stores, all).await?;
    assert_eq!(answers.len(), usize::from(CALLERS));
    assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
    let ids: BTreeSet<_> = answers.iter().map(|answer| answer.found.account.id).collect();
    assert_eq!(ids.len(), 1, "all callers get the same user");
    let kept = must_find(stores.accounts(project()).as_ref(), &key(1)?).await?;
    assert!(ids.contains(&kept.account.id));
    Ok(())
}

/// A lookup never answers from before a write that was acknowledged when the lookup began, however
/// many look while it is written.
pub async fn parallel_lookups_see_every_acknowledged_write(stores: &dyn Stores) -> Rule {
    const WRITES: i64 = 100;
    let accounts = stores.accounts(project());
    accounts.find_or_create(new_account(1)?).await?;
    let acknowledged = Arc::new(AtomicI64::new(0));
    let mut lookers = JoinSet::new();
    for _ in 0..4 {
        let (accounts, acknowledged) = (Arc::clone(&accounts), Arc::clone(&acknowledged));
        let instance = instance()?;
        lookers.spawn(async move {
            let mut looks = 0_u64;
            loop {
                let before = acknowledged.load(Ordering::Acquire);
                let found = accounts.find_by_external(&instance, &external(1)).await?;
                let revision = given(found, "the account")?.account.revision;
                assert!(revision >= before, "{revision} was read after {before} was acknowledged");
                looks += 1;
                if before >= WRITES {
                    return Ok::<u64, Broken>(looks);
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for n in 1..=WRITES {
        let patch =
            ProfilePatch { username: Some(username(&n.to_string())?), ..Default::default() };
        let changed = given(accounts.update(user(1), patch, at(n)).await?, "the account")?;
        acknowledged.store(changed.revision, Ordering::Release);
    }
    while let Some(looks) = lookers.join_next().await {
        assert!(looks?? > 0);
    }
    Ok(())
}

/// Fifty registrations of fifty identities make fifty accounts.
pub async fn parallel_registers_of_many_identities_make_them_all(stores: &dyn Stores) -> Rule {
    let all = (1..=CALLERS).map(new_account).collect::<Result<_, Broken>>()?;
    let answers = register_all(stores, all).await?;
    assert!(answers.iter().all(|answer| answer.created));
    let accounts = stores.accounts(project());
    for n in 1..=CALLERS {
        let found = must_find(accounts.as_ref(), &key(n)?).await?;
        assert_eq!(found.account.id, user(n));
    }
    Ok(())
}

/// Of many changes that expect the same revision, one is made.
pub async fn parallel_conditional_updates_have_one_winner(stores: &dyn Stores) -> Rule {
    let accounts = stores.accounts(project());
    let made = accounts.find_or_create(new_account(1)?).await?.found.account;
    let mut calls = JoinSet::new();
    for n in 1..=CALLERS {
        let accounts = Arc::clone(&accounts);
        let patch = ProfilePatch {
            username: Some(username(&format!("Name {n}"))?),
            app_profile: None,
            expected_revision: Some(made.revision),
        };
        calls.spawn(async move { accounts.update(user(1), patch, at(9_000)).await });
    }
    let mut winner = None;
    while let Some(answer) = calls.join_next().await {
        match answer? {
            Ok(account) => {
                assert!(winner.is_none(), "a second update was made");
                winner = Some(given(account, "the account")?);
            }
            Err(error) => assert!(matches!(error, StoreError::Conflict), "{error}"),
        }
    }
    let kept = must_find(accounts.as_ref(), &key(1)?).await?.account;
    assert_eq!(kept.revision, made.revision + 1);
    assert_eq!(Some(kept), winner);
    Ok(())
}

/// Of many candidates for a key one is kept, and every caller gets that one.
pub async fn parallel_keys_keep_the_first(stores: &dyn Stores) -> Rule {
    let keys = stores.keys(project());
    let mut calls = JoinSet::new();
    for n in 1..=CALLERS {
        let keys = Arc::clone(&keys);
        calls.spawn(async move { keys.find_or_create(KeyName::Identity, Sealed(vec![n])).await });
    }
    let kept = given(keys_after(&mut calls).await?, "a key")?;
    assert_eq!(keys.find(KeyName::Identity).await?, Some(kept.clone()));
    assert_eq!(keys.find_or_create(KeyName::Identity, Sealed(vec![0])).await?, kept);
    assert_eq!(keys.find(KeyName::Signature).await?, None, "each key has its own name");
    Ok(())
}

async fn keys_after(
    calls: &mut JoinSet<Result<Sealed, StoreError>>,
) -> Result<Option<Sealed>, Broken> {
    let mut kept = None;
    while let Some(answer) = calls.join_next().await {
        let answer = answer??;
        let first = kept.get_or_insert_with(|| answer.clone());
        assert_eq!(*first, answer, "two callers got different keys");
    }
    Ok(kept)
}
