//! A request of any operation, so that one rule can ask them all.

use secrecy::SecretString;
use uuid::Uuid;
use vestibule_core::identity::Identity;
use vestibule_core::ids::DeviceId;
use vestibule_core::payload::Payload;
use vestibule_core::request::{
    Begin, ChangePassword, Check, Complete, ConfirmForgotPassword, Erase, ForgotPassword, Login,
    Logout, Profile, Redirect, Refresh, Register, Update, Vouch,
};
use vestibule_core::{AdapterData, Call, Operation, Provider};

/// What an operation answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Who it is.
    Identity(Box<Identity>),
    /// Where to send the browser.
    Redirect(Redirect),
    /// Done, and nothing to say.
    Done,
}

macro_rules! requests {
    ($($operation:ident, $method:ident, $answer:expr;)*) => {
        /// A request of any operation.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Request {
            $(
                #[doc = concat!("Asks [`Provider::", stringify!($method), "`].")]
                $operation($operation),
            )*
        }

        $(
            impl From<$operation> for Request {
                fn from(request: $operation) -> Self {
                    Self::$operation(request)
                }
            }
        )*

        impl Request {
            /// Asks the provider.
            ///
            /// # Errors
            /// What the provider answers.
            pub async fn ask(
                self,
                provider: &dyn Provider,
                call: &Call<'_>,
            ) -> vestibule_core::Result<Outcome> {
                match self {
                    $(Self::$operation(request) => {
                        provider.$method(call, request).await.map($answer)
                    })*
                }
            }
        }
    };
}

fn who(identity: Identity) -> Outcome {
    Outcome::Identity(Box::new(identity))
}

fn done((): ()) -> Outcome {
    Outcome::Done
}

requests! {
    Register, register, who;
    Login, login, who;
    Refresh, refresh, who;
    Check, check, who;
    Profile, profile, who;
    Update, update, who;
    Vouch, vouch, who;
    Logout, logout, done;
    ChangePassword, change_password, who;
    ForgotPassword, forgot_password, done;
    ConfirmForgotPassword, confirm_forgot_password, done;
    Begin, begin, Outcome::Redirect;
    Complete, complete, who;
    Erase, erase, who;
}

impl Request {
    /// A request that carries nothing of use; `None` for an operation that this version of the
    /// kit does not know.
    #[must_use]
    pub fn blank(operation: Operation) -> Option<Self> {
        let token = || SecretString::from("no-token");
        let device = DeviceId::new(Uuid::from_u128(0x789f_64dc_750d_4260_afef_7937_0620_48e3));
        let data = Payload::empty;
        Some(match operation {
            Operation::Register => Register::new(device, data()).into(),
            Operation::Login => Login::new(Some(device), data()).into(),
            Operation::Refresh => Refresh::new(device, token()).into(),
            Operation::Check => Check::new(token()).into(),
            Operation::Profile => Profile::new(Some(token())).into(),
            Operation::Update => Update::new(Some(token()), data()).into(),
            Operation::Vouch => Vouch::new(token()).into(),
            Operation::Logout => Logout::new(token()).into(),
            Operation::ChangePassword => ChangePassword::new(token(), data()).into(),
            Operation::ForgotPassword => ForgotPassword::new(data()).into(),
            Operation::ConfirmForgotPassword => ConfirmForgotPassword::new(data()).into(),
            Operation::Begin => Begin::new("https://broker.example/callback".to_owned()).into(),
            Operation::Complete => {
                Complete::new(AdapterData::new(Vec::<u8>::new()), Vec::new()).into()
            }
            Operation::Erase => Erase::new(Some(token()), data()).into(),
            _ => return None,
        })
    }
}
