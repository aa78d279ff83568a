//! The calls of the two kinds of guests.

use serde_json::{Value, json};

use super::broker::Broker;
use super::http::Answer;

/// A user that a test made.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Of which project.
    pub project: String,
    /// The install.
    pub device_id: String,
    /// The identity.
    pub external_id: String,
    /// The account.
    pub user_id: String,
    /// What `signature` covers beside the account.
    pub time_stamp: i64,
    /// The proof for other backends.
    pub signature: String,
}

/// The body of a call: routing fields and `data`.
#[must_use]
pub fn envelope(project: &str, strategy: &str, provider: &str, data: &Value) -> Value {
    json!({"projectId": project, "strategy": strategy, "provider": provider, "data": data})
}

impl Guest {
    fn of(project: &str, answer: &Answer) -> Self {
        let data = answer.json()["data"].clone();
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        Self {
            project: project.to_owned(),
            device_id: text("deviceId"),
            external_id: text("externalId"),
            user_id: text("userId"),
            time_stamp: data["timeStamp"].as_i64().unwrap_or_default(),
            signature: text("signature"),
        }
    }

    /// What a login of this guest brings.
    #[must_use]
    pub fn pair(&self) -> Value {
        json!({"externalId": self.external_id, "deviceId": self.device_id})
    }
}

impl Broker {
    /// Registers an anonymous guest.
    #[must_use]
    pub fn register(&self, project: &str, data: &Value) -> Answer {
        self.call("POST", "/v1/user")
            .json(&envelope(project, "simplified", "anonymous", data))
            .send()
    }

    /// Logs an anonymous guest in.
    #[must_use]
    pub fn login(&self, project: &str, data: &Value) -> Answer {
        self.call("PUT", "/v1/user/login")
            .json(&envelope(project, "simplified", "anonymous", data))
            .send()
    }

    /// Makes a user without a login.
    #[must_use]
    pub fn create(&self, project: &str, data: &Value) -> Answer {
        self.call("POST", "/v1/user").json(&envelope(project, "simplified", "noLogin", data)).send()
    }

    /// Reads the profile of a user without a login.
    #[must_use]
    pub fn profile(&self, project: &str, external_id: &str) -> Answer {
        self.call("GET", "/v1/user")
            .to(project, "simplified", "noLogin")
            .query("externalId", external_id)
            .send()
    }

    /// Changes the profile of a user without a login.
    #[must_use]
    pub fn update(&self, project: &str, external_id: &str, data: &Value) -> Answer {
        let mut body = envelope(project, "simplified", "noLogin", data);
        body["externalId"] = external_id.into();
        self.call("PUT", "/v1/user").json(&body).send()
    }

    /// Asks whether a signature is the project's.
    #[must_use]
    pub fn verify(&self, project: &str, user_id: &str, time_stamp: i64, signature: &str) -> Answer {
        self.call("POST", "/v1/signature/verify")
            .json(&json!({
                "projectId": project,
                "userId": user_id,
                "timeStamp": time_stamp,
                "signature": signature,
            }))
            .send()
    }

    /// A fresh anonymous guest.
    #[must_use]
    pub fn guest(&self, project: &str) -> Guest {
        let answer = self.register(project, &json!({}));
        Guest::of(project, answer.expect(201))
    }

    /// A fresh user without a login.
    #[must_use]
    pub fn player(&self, project: &str, username: &str) -> Guest {
        let answer = self.create(project, &json!({"username": username}));
        Guest::of(project, answer.expect(200))
    }
}
