//! Operations that no guest provider has, played over HTTP against an adapter of the test's own:
//! bearer tokens, and the faults that no real provider can be asked for.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Method, Response};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vestibule_broker::{Broker, MasterKey, Parts};
use vestibule_core::ports::NoEgress;
use vestibule_core::request::{
    Check, ForgotPassword, Login, Logout, Profile, Refresh, Update, Vouch,
};
use vestibule_core::{
    Call, Capabilities, Credential, Deps, Error, ErrorKind, Identity, InstanceId, Issuer,
    Operation, ProjectId, ProjectSpec, Provider, ProviderConfig, ProviderSpec, Registry, Result,
    SignatureAlgorithm, SignatureSpec, Subject, Timestamp, Tokens,
};
use vestibule_server::{Limits, Rate, Server, Settings};
use vestibule_testkit::{FixedClock, MemoryStores, NoSecrets, SeededEntropy};

const PROJECT: &str = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5";
const DEVICE: &str = "789f64dc-750d-4260-afef-7937062048e3";

/// A provider whose tokens are `token-of-NAME`, and which misbehaves for two names.
#[derive(Debug)]
struct Scripted;

#[derive(Deserialize, JsonSchema)]
struct ScriptedConfig {}

impl ProviderConfig for ScriptedConfig {
    const KIND: &'static str = "scripted";
    type Provider = Scripted;

    fn build(self, _: Deps) -> Result<Scripted> {
        Ok(Scripted)
    }
}

async fn holder(token: &SecretString) -> Result<Identity> {
    match token.expose_secret().strip_prefix("token-of-") {
        Some("panic") => panic!("on purpose"),
        Some("sleeper") => std::future::pending().await,
        Some(name) => {
            let subject = Subject::parse(name).unwrap();
            Ok(Identity::new(Issuer::new("scripted"), subject).attribute("nickname", name))
        }
        None => Err(Error::new(ErrorKind::InvalidCredential)),
    }
}

#[async_trait]
impl Provider for Scripted {
    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
            .offer(Operation::Login, Credential::None, [])
            .offer(Operation::Refresh, Credential::None, [])
            .offer(Operation::Check, Credential::Bearer, [])
            .offer(Operation::Profile, Credential::Bearer, [])
            .offer(Operation::Update, Credential::Bearer, [])
            .offer(Operation::Vouch, Credential::None, [])
            .offer(Operation::Logout, Credential::Bearer, [])
            .offer(Operation::ForgotPassword, Credential::None, [])
    }

    async fn login(&self, _: &Call<'_>, request: Login) -> Result<Identity> {
        #[derive(Deserialize)]
        struct Name {
            name: String,
        }
        let name = request.payload.parse::<Name>()?.name;
        let token = SecretString::from(format!("token-of-{name}"));
        Ok(holder(&token).await?.tokens(Tokens::new(token)))
    }

    async fn refresh(&self, _: &Call<'_>, request: Refresh) -> Result<Identity> {
        holder(&request.refresh_token).await
    }

    async fn check(&self, _: &Call<'_>, request: Check) -> Result<Identity> {
        holder(&request.access_token).await
    }

    async fn profile(&self, _: &Call<'_>, request: Profile) -> Result<Identity> {
        holder(&request.access_token.unwrap()).await
    }

    async fn update(&self, _: &Call<'_>, request: Update) -> Result<Identity> {
        let update: vestibule_core::payload::ProfileUpdate = request.payload.parse()?;
        let who = holder(&request.access_token.unwrap()).await?;
        Ok(who.username(update.username).app_profile(update.app_profile))
    }

    async fn vouch(&self, _: &Call<'_>, request: Vouch) -> Result<Identity> {
        holder(&request.access_token).await
    }

    async fn logout(&self, _: &Call<'_>, request: Logout) -> Result<()> {
        holder(&request.access_token).await.map(drop)
    }

    async fn forgot_password(&self, _: &Call<'_>, _: ForgotPassword) -> Result<()> {
        Ok(())
    }
}

fn settings(limits: Limits, max_in_flight: usize) -> Settings {
    Settings {
        public_url: "http://127.0.0.1".to_owned(),
        trusted_proxies: Vec::new(),
        limits,
        max_connections: 100,
        max_in_flight,
        drain: Duration::from_millis(300),
    }
}

struct Running {
    server: Server,
    limits: Limits,
    public: SocketAddr,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Running {
    async fn start(limits: Limits, max_in_flight: usize) -> Self {
        Self::start_at(Timestamp::from_secs(1_614_788_100), limits, max_in_flight).await
    }

    async fn start_at(now: Timestamp, limits: Limits, max_in_flight: usize) -> Self {
        let stores = Arc::new(MemoryStores::new());
        let broker = Arc::new(Broker::new(Parts {
            stores: stores.clone(),
            clock: Arc::new(FixedClock::new(now)),
            entropy: Arc::new(SeededEntropy::new(1)),
            secrets: Arc::new(NoSecrets),
            http: Arc::new(NoEgress),
            master: MasterKey::new([7; 32]),
        }));
        let registry = Registry::default().with::<ScriptedConfig>();
        let spec = ProjectSpec {
            id: ProjectId::parse(PROJECT).unwrap(),
            name: "test".to_owned(),
            enabled: true,
            origins: Vec::new(),
            signature: SignatureSpec { algorithm: SignatureAlgorithm::HmacSha256, key: None },
            providers: vec![ProviderSpec {
                instance: InstanceId::new("test", "scripted").unwrap(),
                kind: "scripted".to_owned(),
                settings: json!({}),
            }],
        };
        broker.install(broker.build(&registry, vec![spec]).unwrap());
        let server = Server::new(broker, stores, settings(limits, max_in_flight)).unwrap();
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = public.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = server.clone();
        let served = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            running.run(public, admin, stopped).await;
        });
        let client = Client::builder().no_proxy().build().unwrap();
        Self { server, limits, public: address, client, stop: Some(stop), served }
    }

    fn settings(&self) -> Settings {
        settings(self.limits, 100)
    }

    async fn unlimited() -> Self {
        Self::start(Limits { register: None, login: None, password: None, read: None }, 100).await
    }

    async fn get(&self, path: &str, query: &str, token: Option<&str>) -> (u16, Value) {
        let url = format!(
            "http://{}{path}?projectId={PROJECT}&strategy=test&provider=scripted{query}",
            self.public
        );
        let request = self.client.get(url);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        read(request.send().await.unwrap()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        extra: Value,
        token: Option<&str>,
    ) -> (u16, Value) {
        let mut body = json!({"projectId": PROJECT, "strategy": "test", "provider": "scripted"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let request = self.client.request(method, format!("http://{}{path}", self.public));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        read(request.json(&body).send().await.unwrap()).await
    }

    async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.served.await.unwrap();
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or("no error"))
}

#[tokio::test]
async fn one_person_is_one_account_at_every_operation() {
    let broker = Running::unlimited().await;
    let data = json!({"data": {"name": "harvey"}, "deviceId": DEVICE});
    let (status, login) = broker.send(Method::PUT, "/v1/user/login", data, None).await;
    assert_eq!((status, &login["message"]), (200, &json!("OK")));
    assert_eq!(login["data"]["accessToken"], "token-of-harvey");
    let user = &login["data"]["userId"];
    let token = Some("token-of-harvey");

    let refresh = json!({"deviceId": DEVICE, "refreshToken": "token-of-harvey"});
    let (_, refreshed) = broker.send(Method::POST, "/v1/user/refresh", refresh, None).await;
    assert_eq!(refreshed["message"], "token refreshed");
    assert_eq!(&refreshed["data"]["userId"], user);
    assert_eq!(refreshed["data"]["externalId"], login["data"]["externalId"]);

    let change = json!({"data": {"username": "Harvey", "appProfile": {"level": 9}}});
    let (_, updated) = broker.send(Method::PUT, "/v1/user", change, token).await;
    assert_eq!(updated["message"], "User is Correctly Updated");

    let (_, profile) = broker.get("/v1/user", "", token).await;
    assert_eq!(&profile["data"]["userId"], user);
    assert_eq!(profile["data"]["appProfile"], json!({"level": 9}));
    let query = format!("&deviceId={DEVICE}");
    let (_, check) = broker.get("/v1/user/check", &query, token).await;
    assert_eq!(check["data"]["username"], "Harvey");

    let (status, out) = broker.send(Method::POST, "/v1/user/logout", json!({}), token).await;
    assert_eq!((status, &out["message"]), (200, &json!("user logged out")));
    broker.stop().await;
}

#[tokio::test]
async fn a_user_whom_only_the_provider_knew_gets_an_account_at_the_first_check() {
    let broker = Running::unlimited().await;
    let query = format!("&deviceId={DEVICE}");
    let (status, first) = broker.get("/v1/user/check", &query, Some("token-of-new")).await;
    assert_eq!(status, 200);
    let (_, second) = broker.get("/v1/user", "", Some("token-of-new")).await;
    assert_eq!(first["data"]["userId"], second["data"]["userId"]);
    broker.stop().await;
}

#[tokio::test]
async fn a_bearer_is_demanded_before_anything_else_is_looked_at() {
    let broker = Running::unlimited().await;
    assert_eq!(code(&broker.get("/v1/user", "", None).await), (401, "credential_required"));
    let wrong_too = "&deviceId=nonsense";
    let answer = broker.get("/v1/user/check", wrong_too, None).await;
    assert_eq!(code(&answer), (401, "credential_required"));
    let answer = broker.get("/v1/user/check", wrong_too, Some("token-of-a")).await;
    assert_eq!(code(&answer), (400, "invalid_field"));
    let answer = broker.get("/v1/user/check", "", Some("token-of-a")).await;
    assert_eq!(answer.1["error"]["details"]["field"], "deviceId");
    let answer = broker.get("/v1/user", "", Some("garbage")).await;
    assert_eq!(code(&answer), (401, "invalid_credential"));
    broker.stop().await;
}

#[tokio::test]
async fn the_rate_is_checked_before_the_bearer() {
    let one = Rate { count: NonZeroU32::MIN, per: Duration::from_secs(3600) };
    let limits = Limits { register: None, login: None, password: None, read: Some(one) };
    let broker = Running::start(limits, 100).await;
    assert_eq!(code(&broker.get("/v1/user", "", None).await), (401, "credential_required"));
    assert_eq!(code(&broker.get("/v1/user", "", None).await), (429, "rate_limited"));
    broker.stop().await;
}

#[tokio::test]
async fn t18_an_oversize_token_is_refused_at_once() {
    let broker = Running::unlimited().await;
    let token = "x".repeat(15 * 1024);
    assert_eq!(broker.get("/v1/user", "", Some(&token)).await.0, 401);
    let token = "x".repeat(40 * 1024);
    assert_eq!(code(&broker.get("/v1/user", "", Some(&token)).await), (431, "headers_too_large"));
    broker.stop().await;
}

#[tokio::test]
async fn t21_a_subject_beside_the_token_must_be_its_own() {
    let broker = Running::unlimited().await;
    let path = "/v1/user/check/nonstandard";
    let own = broker.get(path, "&userId=harvey", Some("token-of-harvey")).await;
    assert_eq!(own.0, 200);
    assert_eq!(own.1["data"]["nickname"], "harvey");
    let victim = broker.get(path, "&userId=victim", Some("token-of-harvey")).await;
    assert_eq!(code(&victim), (401, "invalid_credential"));
    let none = broker.get(path, "", None).await;
    assert_eq!(none.1["error"]["details"]["field"], "accessToken");
    let in_query = broker.get(path, "&accessToken=token-of-harvey", Some("token-of-other")).await;
    assert_eq!(in_query.1["data"]["userId"], own.1["data"]["userId"]);
    broker.stop().await;
}

#[tokio::test]
async fn d07_any_clock_is_survived() {
    let off = Limits { register: None, login: None, password: None, read: None };
    for (secs, dated) in
        [(-3600, false), (0, true), (1_614_788_100, true), (300_000_000_000, false)]
    {
        let broker = Running::start_at(Timestamp::from_secs(secs), off, 100).await;
        let url = format!("http://{}/v1/user/login", broker.public);
        let body = json!({"projectId": PROJECT, "strategy": "test", "provider": "scripted",
            "data": {"name": "harvey"}});
        let answer = broker.client.put(url).json(&body).send().await.unwrap();
        assert_eq!(answer.headers()["server-time"], secs.to_string().as_str());
        assert_eq!(answer.headers().contains_key("date"), dated, "{secs}");
        let (status, answer) = read(answer).await;
        assert_eq!((status, &answer["data"]["timeStamp"]), (200, &json!(secs)));
        broker.stop().await;
    }
}

#[tokio::test]
async fn z01_a_client_that_keeps_its_connection_is_moved_away_before_the_close() {
    let broker = Running::unlimited().await;
    let url = format!(
        "http://{}/v1/user?projectId={PROJECT}&strategy=test&provider=scripted",
        broker.public
    );
    let ask = |client: &Client| client.get(&url).bearer_auth("token-of-harvey").send();
    let kept = ask(&broker.client).await.unwrap();
    assert!(!kept.headers().contains_key("connection"));
    drop(kept.bytes().await.unwrap());
    let Running { client, stop, served, .. } = broker;
    stop.unwrap().send(()).unwrap();
    // The drain time has begun: the listener is open, and the answer ends the connection.
    let last = loop {
        let answer = ask(&client).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        if answer.headers().contains_key("connection") {
            break answer;
        }
    };
    assert_eq!(last.headers()["connection"], "close");
    served.await.unwrap();
}

#[tokio::test]
async fn w03_a_broker_that_is_reached_by_tls_says_so() {
    let off = Limits { register: None, login: None, password: None, read: None };
    let plain = Running::start(off, 100).await;
    let header = async |broker: &Running| {
        let answer = broker.client.get(format!("http://{}/", broker.public)).send().await.unwrap();
        answer.headers().get("strict-transport-security").cloned()
    };
    assert_eq!(header(&plain).await, None);
    let settings = Settings { public_url: "https://id.example.com".to_owned(), ..plain.settings() };
    plain.server.reload(settings);
    assert_eq!(header(&plain).await.unwrap(), "max-age=31536000");
    plain.stop().await;
}

#[tokio::test]
async fn i19_a_panic_is_an_answer_and_harms_nobody_else() {
    let broker = Running::unlimited().await;
    for _ in 0..3 {
        let answer = broker.get("/v1/user", "", Some("token-of-panic")).await;
        assert_eq!(code(&answer), (500, "internal_error"));
        assert!(!answer.1.to_string().contains("on purpose"));
        assert_eq!(broker.get("/v1/user", "", Some("token-of-harvey")).await.0, 200);
    }
    broker.stop().await;
}

#[tokio::test]
async fn o04_what_is_too_much_at_once_is_shed_and_recovers() {
    let limits = Limits { register: None, login: None, password: None, read: None };
    let broker = Running::start(limits, 1).await;
    let slow = broker.get("/v1/user", "", Some("token-of-sleeper"));
    let quick = async {
        // Until the slow one has taken the only place.
        loop {
            let answer = broker.get("/v1/user", "", Some("token-of-harvey")).await;
            if answer.0 != 200 {
                return answer;
            }
        }
    };
    let (slow, quick) = tokio::join!(slow, quick);
    assert_eq!(code(&quick), (503, "overloaded"));
    assert_eq!(quick.1["error"]["retryable"], true);
    // The provider never answers: the deadline of the operation frees the place.
    assert_eq!(code(&slow), (504, "upstream_timeout"));
    assert_eq!(broker.get("/v1/user", "", Some("token-of-harvey")).await.0, 200);
    broker.stop().await;
}
