//! Users, presence, routing status, queues, ready-made answers.

use reqwest::Method;
use serde_json::{Value, json};

use super::agent::Agent;
use super::client::Rig;

fn names<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list["entities"].as_array().unwrap().iter().map(|e| e[member].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_user_sees_itself_and_the_others() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let me = agent.get("/api/v2/users/me?expand=presence,routingStatus").await;
    assert_eq!((&me["id"], &me["name"]), (&json!(agent.id), &json!("Agent One")));
    assert_eq!(me["presence"]["presenceDefinition"]["systemPresence"], "Available", "the first request made it so");
    assert_eq!(me["routingStatus"]["status"], "OFF_QUEUE");
    assert!(agent.get("/api/v2/users/me").await.get("presence").is_none(), "only what was asked for");
    let other = &rig.ready.agents[1];
    let path = format!("/api/v2/users/{}?expand=presence", other.id);
    let told = agent.get(&path).await;
    assert_eq!(
        (told["name"].as_str(), told["presence"]["presenceDefinition"]["systemPresence"].as_str()),
        (Some("Agent Two"), Some("Offline"))
    );
    agent.call(Method::GET, "/api/v2/users/u9", None).await.is(404, "not.found", "User “u9” not found");
    let page = agent.get("/api/v2/users?pageSize=2&pageNumber=2").await;
    assert_eq!((names(&page, "name"), &page["total"], &page["pageCount"]), (vec!["Agent Three"], &json!(3), &json!(2)));
    let wrong = agent.call(Method::GET, "/api/v2/users?pageSize=0", None).await;
    wrong.is(400, "invalid.value", "pageSize must be a number from 1 to 100");
    let search = json!({ "query": [{ "value": "TWO", "fields": ["name"], "type": "CONTAINS" }] });
    let found = agent.post("/api/v2/users/search", search).await.ok(200);
    assert_eq!((&found["total"], &found["results"][0]["id"]), (&json!(1), &json!(other.id)));
}

#[tokio::test]
async fn presences_are_spelled_in_two_ways_and_mean_the_same() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let new = agent.get("/api/v2/presence/definitions").await;
    let old = agent.get("/api/v2/presencedefinitions?pageSize=100").await;
    assert_eq!(new["entities"].as_array().unwrap().len(), 10);
    assert!(names(&new, "systemPresence").contains(&"OnQueue") && names(&old, "systemPresence").contains(&"On Queue"));
    assert_eq!(names(&new, "id"), names(&old, "id"));
    let path = format!("/api/v2/users/{}/presences/PURECLOUD", agent.id);
    let busy = agent.presence("Busy").await;
    let told = agent.patch(&path, json!({ "presenceDefinition": { "id": busy }, "message": "lunch" })).await.ok(200);
    assert_eq!((&told["message"], &told["primary"]), (&json!("lunch"), &json!(true)));
    assert_eq!(agent.get(&path).await["presenceDefinition"]["id"], busy);
    agent.patch(&path, json!({ "presenceDefinition": { "id": "p9" } })).await.names("presenceDefinition.id");
    agent.patch(&path, json!({})).await.names("presenceDefinition.id");
    let other = format!("/api/v2/users/{}/presences/purecloud", rig.ready.agents[1].id);
    let refused = agent.patch(&other, json!({ "presenceDefinition": { "id": busy } })).await;
    assert_eq!((refused.status, refused.code()), (403, "not.authorized"));
    let source = format!("/api/v2/users/{}/presences/teams", agent.id);
    assert_eq!(agent.call(Method::GET, &source, None).await.status, 404);
}

#[tokio::test]
async fn the_routing_status_follows_the_presence() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let path = format!("/api/v2/users/{}/routingstatus", agent.id);
    let idle = || agent.call(Method::PUT, &path, Some(json!({ "status": "IDLE" })));
    let early = idle().await;
    assert_eq!((early.status, early.code()), (409, "conflict"), "not on queue");
    agent.go("OnQueue").await;
    assert_eq!(agent.routing().await, "IDLE");
    let off = agent.call(Method::PUT, &path, Some(json!({ "status": "OFF_QUEUE" }))).await.ok(200);
    assert_eq!(off["status"], "OFF_QUEUE");
    assert_eq!(idle().await.ok(200)["status"], "IDLE");
    agent.call(Method::PUT, &path, Some(json!({ "status": "INTERACTING" }))).await.names("status");
    agent.call(Method::PUT, &path, Some(json!({ "status": "ASLEEP" }))).await.names("status");
    agent.go("Available").await;
    assert_eq!(agent.routing().await, "OFF_QUEUE");
}

#[tokio::test]
async fn queues_are_listed_joined_and_left() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let ready: Vec<&str> = rig.ready.queues.iter().map(|q| q.name.as_str()).collect();
    assert_eq!((ready, &rig.ready.queues[0].id), (vec!["Sandbox support", "Sandbox sales"], &rig.ready.queue_id));
    let own = format!("/api/v2/users/{}/queues", agent.id);
    let all = agent.get(&own).await;
    assert_eq!(names(&all, "name"), ["Sandbox support", "Sandbox sales"]);
    assert!(all["entities"].as_array().unwrap().iter().all(|q| q["joined"] == true), "both are joined at first");
    let sales = &rig.ready.queues[1].id;
    let join = format!("{own}/{sales}");
    assert_eq!(agent.patch(&join, json!({ "joined": false })).await.ok(200)["joined"], false);
    assert_eq!(names(&agent.get(&format!("{own}?joined=true")).await, "name"), ["Sandbox support"]);
    let members = format!("/api/v2/routing/queues/{sales}/members?joined=true");
    assert_eq!(names(&agent.get(&members).await, "name"), ["Agent Two", "Agent Three"]);
    assert_eq!(agent.get(&format!("/api/v2/routing/queues/{sales}")).await["joinedMemberCount"], 2);
    agent.patch(&join, json!({ "joined": "yes" })).await.names("joined");
    rig.order(json!({ "do": "set_permissions", "user": "agent1@sandbox.invalid", "without": ["routing:queue:join"] }));
    let refused = agent.patch(&join, json!({ "joined": true })).await;
    assert_eq!((refused.status, refused.code()), (403, "missing.permissions"));
    assert!(refused.message().contains("[routing:queue:join]"), "{refused:?}");
    assert_eq!(refused.body["messageParams"]["permissions"], "[routing:queue:join]");
    let codes = agent.get(&format!("/api/v2/routing/queues/{sales}/wrapupcodes")).await;
    assert!(names(&codes, "name").contains(&"Resolved"));
}

#[tokio::test]
async fn ready_made_answers_are_found() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let libraries = agent.get("/api/v2/responsemanagement/libraries").await;
    let library = libraries["entities"][0]["id"].as_str().unwrap();
    let all = agent.get(&format!("/api/v2/responsemanagement/responses?libraryId={library}")).await;
    let first = &all["entities"][0];
    assert!(first["texts"][0]["content"].as_str().unwrap().contains("How can I help?"));
    let one = agent.get(&format!("/api/v2/responsemanagement/responses/{}", first["id"].as_str().unwrap())).await;
    assert_eq!(&one, first);
    let found = agent.post("/api/v2/responsemanagement/responses/query", json!({ "queryPhrase": "good day" })).await;
    assert_eq!(found.ok(200)["results"]["entities"][0]["name"], "Goodbye");
    let missing = agent.call(Method::GET, "/api/v2/responsemanagement/responses", None).await;
    assert_eq!(missing.status, 400);
}

#[tokio::test]
async fn a_client_without_a_user_cannot_act_as_an_agent() {
    let rig = Rig::new().await;
    let token = rig.token().await;
    let ask = |path: &'static str| rig.call(Method::GET, path, None).bearer(&token).send();
    let me = ask("/api/v2/users/me").await;
    assert_eq!((me.status, me.code()), (400, "bad.request"));
    assert!(me.message().contains("user context"), "{me:?}");
    assert_eq!(ask("/api/v2/conversations").await.ok(200)["entities"], json!([]), "and there are none for it");
    assert_eq!(ask("/api/v2/routing/queues").await.ok(200)["total"], 2);
}

#[tokio::test]
async fn requests_are_counted_and_told_and_refused_when_too_many() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    rig.order(json!({ "do": "set_limits", "requests_per_token_minute": 3 }));
    let ask = || agent.call(Method::GET, "/api/v2/users/me", None);
    for count in 1..=3 {
        let answer = ask().await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!((header("inin-ratelimit-count"), header("inin-ratelimit-allowed")), (count.to_string(), "3".into()));
    }
    let refused = ask().await;
    refused.is(429, "too.many.requests", "Rate limit exceeded the maximum [3] requests within [60] seconds");
    assert_eq!((&refused.headers["retry-after"], &refused.body["limit"]["value"]), (&"60".parse().unwrap(), &json!(3)));
    rig.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(ask().await.status, 200);
}
