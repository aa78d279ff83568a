//! Answers into status and body.

use secrecy::ExposeSecret;
use serde::Serialize;
use vestibule_core::answer::{DeviceView, ProfileView, Session};
use vestibule_core::{Answer, AppProfile, InstanceId, Operation, ProjectId};

use crate::messages;
use crate::quirks::{self, Quirks};

/// What a request asked for, as far as the form of its answer depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// Which operation.
    pub operation: Operation,
    /// Which kind of provider.
    pub kind: &'a str,
    /// Which project.
    pub project: ProjectId,
    /// Which provider of it.
    pub instance: &'a InstanceId,
}

/// A success, rendered.
#[derive(Debug)]
pub struct Rendered {
    /// HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Vec<u8>,
}

/// Renders an answer.
#[must_use]
pub fn render(route: &Route<'_>, answer: &Answer) -> Rendered {
    let quirks = quirks::of(route.kind, route.operation);
    let created = matches!(answer, Answer::Session(session) if session.is_new == Some(true));
    let message = match quirks.lower_case_ok {
        true => "ok",
        false => messages::success(route.operation, created),
    };
    let status = if created && !quirks.plain_registration { 201 } else { 200 };
    let body = match answer {
        Answer::Session(session) => envelope(message, None, &SessionBody::of(session, quirks)),
        Answer::Profile(view) if route.operation == Operation::Vouch => {
            envelope(message, None, &VouchBody::of(view))
        }
        Answer::Profile(view) | Answer::Updated(view) => {
            let echo = quirks.echo.then(|| Echo::of(route, view));
            envelope(message, echo, &ProfileBody::of(view))
        }
        _ => envelope(message, None, &Nothing {}),
    };
    Rendered { status, body }
}

/// Renders a success whose data is a struct of the caller's.
#[must_use]
pub fn plain(data: &impl Serialize) -> Rendered {
    Rendered { status: 200, body: envelope("OK", None, data) }
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(flatten)]
    echo: Option<Echo<'a>>,
    result: u8,
    message: &'a str,
    data: T,
}

fn envelope<T: Serialize>(message: &str, echo: Option<Echo<'_>>, data: &T) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    // Writing these structs to memory cannot fail: every key is text and every value plain.
    let _ = serde_json::to_writer(&mut body, &Envelope { echo, result: 1, message, data });
    body
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Echo<'a> {
    strategy: &'a str,
    provider: &'a str,
    project_id: ProjectId,
    external_id: &'a str,
}

impl<'a> Echo<'a> {
    fn of(route: &Route<'a>, view: &'a ProfileView) -> Self {
        Self {
            strategy: route.instance.strategy(),
            provider: route.instance.provider(),
            project_id: route.project,
            external_id: view.external_id.reveal(),
        }
    }
}

/// The contract's L1, L2 and L3: tokens where there are any, the noLogin extras by quirk.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionBody<'a> {
    device_id: vestibule_core::DeviceId,
    time_stamp: i64,
    signature: &'a str,
    external_id: &'a str,
    user_id: vestibule_core::UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    sign_up: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    signup: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_new: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<Option<&'a str>>,
}

impl<'a> SessionBody<'a> {
    fn of(session: &'a Session, quirks: Quirks) -> Self {
        let tokens = session.tokens.as_ref();
        let username = session.username.as_ref().map(|name| name.as_str());
        Self {
            device_id: session.device_id,
            time_stamp: session.time_stamp.secs(),
            signature: &session.signature,
            external_id: session.external_id.reveal(),
            user_id: session.user_id,
            access_token: tokens.map(|t| t.access.expose_secret()),
            profile_token: tokens.and_then(|t| t.id.as_ref()).map(|t| t.expose_secret()),
            refresh_token: tokens.and_then(|t| t.refresh.as_ref()).map(|t| t.expose_secret()),
            sign_up: session.sign_up.secs(),
            signup: quirks.plain_registration.then(|| session.sign_up.secs()),
            is_new: session.is_new,
            username: quirks.plain_registration.then_some(username),
        }
    }
}

/// The contract's P2.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProfileBody<'a> {
    username: Option<&'a str>,
    app_profile: &'a AppProfile,
    login_history: Vec<i64>,
    user_id: vestibule_core::UserId,
}

impl<'a> ProfileBody<'a> {
    fn of(view: &'a ProfileView) -> Self {
        Self {
            username: view.username.as_ref().map(|name| name.as_str()),
            app_profile: &view.app_profile,
            login_history: view.logins.iter().map(|at| at.secs()).collect(),
            user_id: view.user_id,
        }
    }
}

/// The contract's P3.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VouchBody<'a> {
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<&'a serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a serde_json::Value>,
    devices: Vec<DeviceBody<'a>>,
    user_id: vestibule_core::UserId,
}

impl<'a> VouchBody<'a> {
    fn of(view: &'a ProfileView) -> Self {
        Self {
            updated_at: view.updated_at.secs().to_string(),
            nickname: view.attributes.get("nickname"),
            email: view.attributes.get("email"),
            devices: view.devices.iter().map(|d| DeviceBody::of(d, view.user_id)).collect(),
            user_id: view.user_id,
        }
    }
}

/// The calling device whole; every other one without signature and with a shortened id.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceBody<'a> {
    device_id: std::borrow::Cow<'a, str>,
    last_login: i64,
    sign_up: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<vestibule_core::UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_stamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
}

impl<'a> DeviceBody<'a> {
    fn of(device: &'a DeviceView, user: vestibule_core::UserId) -> Self {
        match device {
            DeviceView::Own { device_id, sign_up, last_login, time_stamp, signature } => Self {
                device_id: device_id.uuid().to_string().into(),
                last_login: last_login.secs(),
                sign_up: sign_up.secs(),
                user_id: Some(user),
                time_stamp: Some(time_stamp.secs()),
                signature: Some(signature),
            },
            DeviceView::Other { shown, sign_up, last_login } => Self {
                device_id: shown.as_str().into(),
                last_login: last_login.secs(),
                sign_up: sign_up.secs(),
                user_id: None,
                time_stamp: None,
                signature: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use vestibule_core::{DeviceId, ExternalId, Timestamp, UserId, Username};

    use super::*;

    fn route<'a>(operation: Operation, kind: &'a str, instance: &'a InstanceId) -> Route<'a> {
        let project = ProjectId::parse("5d5b0676-ce0f-4058-b2bf-49af49f61cb5").unwrap();
        Route { operation, kind, project, instance }
    }

    fn session(is_new: Option<bool>) -> Answer {
        Answer::Session(Box::new(Session {
            device_id: DeviceId::parse("789f64dc-750d-4260-afef-7937062048e3").unwrap(),
            time_stamp: Timestamp::from_secs(1_614_788_250),
            signature: "C4B2".to_owned(),
            external_id: ExternalId::parse("6432a1c6").unwrap(),
            user_id: UserId::parse("99b5e0ae-60b8-4667-8741-f4e1486d2b3a").unwrap(),
            sign_up: Timestamp::from_secs(1_614_788_100),
            username: Username::parse("Harvey"),
            tokens: None,
            is_new,
        }))
    }

    fn view() -> ProfileView {
        ProfileView {
            user_id: UserId::parse("99b5e0ae-60b8-4667-8741-f4e1486d2b3a").unwrap(),
            external_id: ExternalId::parse("0fdb53e3").unwrap(),
            username: Username::parse("Harvey"),
            app_profile: AppProfile::from_json(r#"{"level":99.0}"#).unwrap(),
            logins: vec![Timestamp::from_secs(1)],
            updated_at: Timestamp::from_secs(1_633_430_188),
            attributes: [("nickname".to_owned(), "burger".into())].into(),
            devices: vec![
                DeviceView::Own {
                    device_id: DeviceId::parse("16713b2d-3848-42c7-aeb0-f9714beac892").unwrap(),
                    sign_up: Timestamp::from_secs(1),
                    last_login: Timestamp::from_secs(2),
                    time_stamp: Timestamp::from_secs(3),
                    signature: "41C9".to_owned(),
                },
                DeviceView::Other {
                    shown: "a055da77".to_owned(),
                    sign_up: Timestamp::from_secs(1),
                    last_login: Timestamp::from_secs(2),
                },
            ],
        }
    }

    fn shown(operation: Operation, kind: &str, provider: &str, answer: &Answer) -> String {
        let instance = InstanceId::new("simplified", provider).unwrap();
        let rendered = render(&route(operation, kind, &instance), answer);
        format!("{} {}", rendered.status, String::from_utf8(rendered.body).unwrap())
    }

    #[test]
    fn a_new_guest_is_201_and_a_known_one_200() {
        insta::assert_snapshot!(shown(
            Operation::Register,
            "anonymous",
            "anonymous",
            &session(Some(true))
        ));
        insta::assert_snapshot!(shown(
            Operation::Register,
            "anonymous",
            "anonymous",
            &session(Some(false))
        ));
    }

    #[test]
    fn no_login_keeps_its_spelling() {
        insta::assert_snapshot!(shown(
            Operation::Register,
            "noLogin",
            "noLogin",
            &session(Some(true))
        ));
        let profile = Answer::Profile(Box::new(view()));
        insta::assert_snapshot!(shown(Operation::Profile, "noLogin", "noLogin", &profile));
    }

    #[test]
    fn g06_other_devices_are_shortened() {
        let body = shown(Operation::Vouch, "google", "google", &Answer::Profile(Box::new(view())));
        insta::assert_snapshot!(body);
        assert!(body.contains(r#"{"deviceId":"a055da77","lastLogin":2,"signUp":1}"#));
    }

    #[test]
    fn an_unknown_kind_gets_the_standard_envelope() {
        let profile = Answer::Profile(Box::new(view()));
        let body = shown(Operation::Profile, "magic-word", "magicWord", &profile);
        assert!(body.starts_with(r#"200 {"result":1,"message":"OK","data":{"username":"Harvey""#));
    }
}
