//! How a rule is run, and what becomes of it.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use vestibule_core::store::Stores;

/// What checking a rule gives: an assertion fails at its own line, and an error that the rule
/// did not expect ends it here.
pub type Rule = Result<(), Broken>;

/// Why a rule could not be checked to its end.
pub struct Broken(String);

impl Broken {
    /// Says why.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl<E: Error> From<E> for Broken {
    fn from(error: E) -> Self {
        Self(format!("{error} ({error:?})"))
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A fresh store, with whatever must live as long as it does: a directory, a database.
#[derive(Debug)]
pub struct StoreUnderTest {
    /// The store.
    pub stores: Arc<dyn Stores>,
    /// What is cleaned up after it.
    pub guard: Box<dyn Any + Send>,
}

impl StoreUnderTest {
    /// Puts the two together; `()` where nothing has to be kept.
    pub fn new(stores: Arc<dyn Stores>, guard: impl Any + Send) -> Self {
        Self { stores, guard: Box::new(guard) }
    }
}

/// Runs a future on a runtime of its own with four workers, so that an adapter's tests need no
/// dependency on the runtime.
///
/// # Panics
/// When the system gives no threads for the runtime.
#[expect(clippy::panic, reason = "ends a test")]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("no runtime for the test: {error}"),
    }
}

/// Checks a rule: fails the test when the rule ends in an error.
///
/// # Panics
/// When the rule does not hold.
pub fn hold(rule: impl Future<Output = Rule>) {
    let outcome = block_on(rule);
    assert!(outcome.is_ok(), "the rule could not be checked: {outcome:?}");
}

/// Writes out one test for each rule of `vestibule_core::store`, in a module of the given name.
///
/// The second argument is called before each rule, without arguments, and awaited; it answers a
/// [`StoreUnderTest`] with nothing in it.
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $fresh:expr) => {
        $crate::store_conformance!(@module $name, $fresh,
            identity_is_made_once
            found_by_key_and_by_external_key
            unknown_is_none
            another_project_sees_nothing
            another_instance_or_issuer_is_another_account
            existing_refuse_writes_nothing
            existing_sign_in_records_the_login
            sign_in_keeps_what_it_is_not_told
            a_recorded_login_counts
            a_repeated_lookup_sees_every_write
            devices_are_bounded
            logins_keep_the_last_twenty_oldest_first
            devices_are_listed_oldest_first
            parallel_registers_of_one_identity_make_one_account
            parallel_lookups_see_every_acknowledged_write
            parallel_registers_of_many_identities_make_them_all
            update_changes_only_what_is_given
            stale_revision_is_a_conflict
            parallel_conditional_updates_have_one_winner
            erase_removes_one_account_whole
            an_erased_identity_registers_anew
            parallel_keys_keep_the_first
            text_survives_to_the_letter
            times_before_1970_survive
            a_refused_write_leaves_nothing
            a_ready_store_has_nothing_queued
            a_closed_store_refuses
        );
    };
    (@module $name:ident, $fresh:expr, $($rule:ident)*) => {
        mod $name {
            #[allow(unused_imports, clippy::wildcard_imports)]
            use super::*;

            $(
                #[test]
                fn $rule() {
                    $crate::hold(async {
                        let fresh = ($fresh)().await;
                        $crate::store_rules::$rule(fresh.stores.as_ref()).await?;
                        fresh.stores.close().await;
                        Ok(())
                    });
                }
            )*
        }
    };
}

/// Writes out one test for each rule of `vestibule_core::Provider`, in a module of the given
/// name.
///
/// The second argument is evaluated before each rule and gives a
/// [`ProviderHarness`](crate::ProviderHarness).
#[macro_export]
macro_rules! provider_conformance {
    ($name:ident, $harness:expr) => {
        $crate::provider_conformance!(@module $name, $harness,
            undeclared_operations_are_unsupported
            declared_operations_are_supported
            valid_requests_succeed
            one_person_is_one_subject
            two_persons_are_two_subjects
            a_bad_credential_is_refused
            secrets_stay_hidden
            capabilities_are_constant
            fields_have_names_of_their_own
        );
    };
    (@module $name:ident, $harness:expr, $($rule:ident)*) => {
        mod $name {
            #[allow(unused_imports, clippy::wildcard_imports)]
            use super::*;

            $(
                #[test]
                fn $rule() {
                    let harness = $harness;
                    $crate::hold($crate::provider_rules::$rule(&harness));
                }
            )*
        }
    };
}
