//! A guest and an agent meet: routed, rung for, answered, spoken to, ended, wrapped up.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::agent::{Agent, Part, guest_who_said, of_purpose};
use super::client::Rig;

fn state_of(rig: &Rig) -> String {
    rig.sandbox.status().platform.conversations.last().unwrap().state.clone()
}

#[tokio::test]
async fn a_first_message_rings_for_whoever_is_on_queue() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = rig.configured().await;
    guest
        .act(
            "onMessage",
            "a",
            json!({ "message": { "type": "Text", "text": "Hello", "channel": { "metadata": { "customAttributes": { "plan": "gold" } } } } }),
        )
        .await;
    let echo = guest.next().await["body"].clone();
    let part = agent.part().await;
    assert_eq!(part.state, "alerting");

    let generic = agent.get(&format!("/api/v2/conversations/{}", part.conversation)).await;
    let customer = of_purpose(&generic, "customer")[0];
    let (mine, queue) = (of_purpose(&generic, "agent")[0], of_purpose(&generic, "acd")[0]);
    assert_eq!(mine["messages"][0]["peerId"], customer["messages"][0]["id"]);
    assert_eq!((&queue["queueId"], &queue["queueName"]), (&json!(rig.ready.queue_id), &json!("Sandbox support")));
    assert_eq!(customer["attributes"]["context.plan"], "gold");
    let told = &customer["messages"][0]["messages"][0];
    assert_eq!((&told["messageId"], &told["messageStatus"]), (&echo["id"], &json!("received")), "one id on both sides");
    assert_ne!(told["messageId"], echo["channel"]["messageId"]);
    assert!(told.get("textBody").is_none() && !generic.to_string().contains("Hello"), "no text in either shape");

    let media = agent.get(&format!("/api/v2/conversations/messages/{}", part.conversation)).await;
    let mine = of_purpose(&media, "agent")[0];
    assert_eq!((&mine["state"], &mine["alertingTimeoutMs"]), (&json!("alerting"), &json!(30_000)));
    assert_eq!((&mine["user"]["id"], &mine["queue"]["id"]), (&json!(agent.id), &json!(rig.ready.queue_id)));
    assert!(!media.to_string().contains(&format!("\"id\":\"{}\"", part.communication)), "no communication ids");
    assert_eq!(agent.get("/api/v2/conversations/messages").await["entities"][0]["id"], part.conversation);

    let text = agent.get(told["messageURI"].as_str().unwrap()).await;
    assert_eq!((&text["textBody"], &text["direction"]), (&json!("Hello"), &json!("inbound")));
    assert_eq!(text["normalizedMessage"]["text"], "Hello");
    assert_eq!(text["providerMessageId"], echo["channel"]["messageId"]);
}

#[tokio::test]
async fn an_agent_answers_speaks_and_leaves_and_both_ends_know_the_same() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_deployment", "conversation_disconnect": "read_only" }));
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    assert_eq!(agent.part().await.state, "connected");
    assert_eq!(agent.routing().await, "INTERACTING");
    let sent = agent.say(&part, "How can I help?").await;
    assert_eq!((&sent["status"], &sent["textBody"]), (&json!("sent"), &json!("How can I help?")));
    assert_eq!(sent["createdBy"]["id"], agent.id);
    let heard = guest.next().await["body"].clone();
    assert_eq!((&heard["id"], &heard["text"]), (&sent["id"], &json!("How can I help?")));
    assert_eq!((&heard["direction"], &heard["originatingEntity"]), (&json!("Outbound"), &json!("Human")));
    assert_eq!(heard["channel"]["from"]["nickname"], "Agent One");
    assert_ne!(heard["channel"]["messageId"], heard["id"]);
    agent.post(&part.comm_path("/typing"), json!({ "typing": { "type": "On", "duration": 3000 } })).await.ok(200);
    assert_eq!(guest.next().await["body"]["events"][0]["typing"], json!({ "type": "On", "duration": 3000 }));

    agent.patch(&part.path(""), json!({ "state": "disconnected" })).await.ok(202);
    let bye = guest.next().await["body"].clone();
    assert_eq!(
        (&bye["events"][0]["presence"]["type"], &bye["metadata"]["readOnly"]),
        (&json!("Disconnect"), &json!("true"))
    );
    let over = agent.get(&format!("/api/v2/conversations/{}", part.conversation)).await;
    assert!(over["endTime"].is_string());
    assert_eq!(of_purpose(&over, "customer")[0]["messages"][0]["disconnectType"], "peer");
    assert_eq!(of_purpose(&over, "agent")[0]["messages"][0]["disconnectType"], "client");
    assert_eq!((agent.routing().await, agent.conversations().await.len()), ("IDLE".into(), 0));
    let codes = agent.call(Method::GET, &part.path("/wrapupcodes"), None).await.ok(200);
    let code = codes[0]["id"].as_str().unwrap();
    agent.post(&part.wrapup_path(), json!({ "code": code, "notes": "done" })).await.ok(202);
    let wrapup = agent.get(&part.wrapup_path()).await;
    assert_eq!((&wrapup["code"], &wrapup["notes"]), (&json!(code), &json!("done")));
    assert_eq!(guest.ask("onMessage", json!({ "message": { "type": "Text", "text": "?" } })).await["code"], 409);
}

#[tokio::test]
async fn an_alert_that_nobody_answers_rings_elsewhere() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_queue", "alerting_timeout_ms": 10_000 }));
    let one = Agent::on_queue(&rig, 0).await;
    let _guest = guest_who_said(&rig, "Hello").await;
    let first = one.part().await;
    let two = Agent::on_queue(&rig, 1).await;
    assert!(two.conversations().await.is_empty());
    rig.clock.advance(Duration::from_secs(10));
    assert_eq!(one.routing().await, "NOT_RESPONDING");
    assert!(one.conversations().await.is_empty());
    let second = two.part().await;
    assert_eq!((second.state.as_str(), &second.conversation), ("alerting", &first.conversation));
    let late = one.patch(&first.path(""), json!({ "state": "connected" })).await;
    assert_eq!((late.status, late.code()), (409, "conflict"));
    assert!(late.message().contains("(timeout)"), "{late:?}");
    two.answer().await;
    let taken = one.patch(&first.path(""), json!({ "state": "connected" })).await;
    assert!(taken.message().contains("with Agent Two now"), "{taken:?}");
    let media = two.get(&format!("/api/v2/conversations/messages/{}", first.conversation)).await;
    let agents = of_purpose(&media, "agent");
    assert_eq!((agents.len(), &agents[0]["disconnectType"]), (2, &json!("timeout")));
    assert!(agents[0].get("connectedTime").is_none(), "it never was");

    // Nobody is left: the next one waits until somebody is back.
    two.go("Away").await;
    rig.order(json!({ "do": "set_deployment", "partner": "agents" }));
    let _other = guest_who_said(&rig, "Anybody?").await;
    assert_eq!(state_of(&rig), "waiting");
    let path = format!("/api/v2/users/{}/routingstatus", one.id);
    one.call(Method::PUT, &path, Some(json!({ "status": "IDLE" }))).await.ok(200);
    assert_eq!((state_of(&rig), one.part().await.state), ("alerting".into(), "alerting".into()));
    // Declined: as good as missed.
    one.patch(&one.part().await.path(""), json!({ "state": "disconnected" })).await.ok(202);
    assert_eq!((state_of(&rig), one.routing().await), ("waiting".into(), "NOT_RESPONDING".into()));
}

#[tokio::test]
async fn the_scripted_partner_answers_where_nobody_is_on_queue_and_hands_over_on_a_word() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    assert_eq!(state_of(&rig), "partner");
    guest.say("agent", "b").await;
    guest.next().await;
    assert_eq!(state_of(&rig), "partner", "nobody is there");
    agent.go("OnQueue").await;
    assert!(agent.conversations().await.is_empty(), "what the partner has it keeps");
    guest.say(" Agent ", "c").await;
    guest.next().await;
    assert_eq!(state_of(&rig), "alerting");
    let part = agent.answer().await;
    let generic = agent.get(&format!("/api/v2/conversations/{}", part.conversation)).await;
    assert_eq!(of_purpose(&generic, "workflow")[0]["messages"][0]["disconnectType"], "transfer");
    assert_eq!(of_purpose(&generic, "customer")[0]["messages"][0]["messages"].as_array().unwrap().len(), 3);
    rig.order(json!({ "do": "set_deployment", "partner": "bot" }));
    let mut other = guest_who_said(&rig, "Hello").await;
    other.say("agent", "x").await;
    other.next().await;
    assert_eq!(state_of(&rig), "partner", "people are not asked");
}

#[tokio::test]
async fn what_the_partner_says_is_in_the_conversation_and_it_stops_when_people_come() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "pause_partner", "on": false }));
    let agent = Agent::sign_in(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    let mut texts = Vec::new();
    while texts.len() < 2 {
        texts.extend(guest.next().await["body"]["text"].as_str().map(str::to_owned));
    }
    assert_eq!(texts[1], "You said: Hello");
    let id = rig.sandbox.status().platform.conversations[0].id.clone();
    let media = agent.get(&format!("/api/v2/conversations/messages/{id}")).await;
    let said = of_purpose(&media, "workflow")[0]["messages"].as_array().unwrap().clone();
    let bot = agent.get(said[1]["messageURI"].as_str().unwrap()).await;
    assert_eq!(
        (&bot["textBody"], &bot["normalizedMessage"]["originatingEntity"]),
        (&json!("You said: Hello"), &json!("Bot"))
    );
    agent.go("OnQueue").await;
    guest.say("agent", "b").await;
    guest.next().await;
    let part = agent.answer().await;
    guest.say("still there?", "c").await;
    guest.next().await;
    agent.say(&part, "Yes").await;
    assert_eq!(guest.next().await["body"]["text"], "Yes");
}

#[tokio::test]
async fn capacity_and_membership_decide_who_is_rung_for() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_deployment", "partner": "agents" }));
    rig.order(json!({ "do": "set_platform", "capacity": 1 }));
    let (one, two) = (Agent::on_queue(&rig, 0).await, Agent::on_queue(&rig, 1).await);
    let leave = format!("/api/v2/users/{}/queues/{}", two.id, rig.ready.queue_id);
    two.patch(&leave, json!({ "joined": false })).await.ok(200);
    let _a = guest_who_said(&rig, "a").await;
    let _b = guest_who_said(&rig, "b").await;
    assert_eq!((one.conversations().await.len(), two.conversations().await.len()), (1, 0));
    assert_eq!(state_of(&rig), "waiting", "one has enough, the other is not in the queue");
    let part = one.answer().await;
    assert_eq!(state_of(&rig), "waiting");
    one.patch(&part.path("/parkingstate"), json!({ "state": "parked" })).await.ok(202);
    assert_eq!(state_of(&rig), "alerting", "what is parked leaves room");
    two.patch(&leave, json!({ "joined": true })).await.ok(200);
    let _c = guest_who_said(&rig, "c").await;
    assert_eq!(two.conversations().await.len(), 1);
}

#[tokio::test]
async fn hold_park_and_attributes_are_told_in_both_shapes() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let _guest = guest_who_said(&rig, "Hello").await;
    let alert = agent.part().await;
    assert_eq!(agent.patch(&alert.path(""), json!({ "held": true })).await.status, 409, "not while it rings");
    let part = agent.answer().await;
    let both = async || {
        let media = agent.get(&format!("/api/v2/conversations/messages/{}", part.conversation)).await;
        let generic = agent.get(&format!("/api/v2/conversations/{}", part.conversation)).await;
        (of_purpose(&media, "agent")[0].clone(), of_purpose(&generic, "agent")[0]["messages"][0].clone())
    };
    agent.patch(&part.path(""), json!({ "held": true })).await.ok(202);
    let (media, generic) = both().await;
    assert_eq!((&media["held"], &generic["held"]), (&json!(true), &json!(true)));
    assert!(media["startHoldTime"].is_string());
    agent.patch(&part.path(""), json!({ "held": false })).await.ok(202);
    agent.patch(&part.path("/parkingstate"), json!({ "state": "parked" })).await.ok(202);
    let (media, generic) = both().await;
    assert_eq!((&media["state"], &generic["state"]), (&json!("connected"), &json!("parked")));
    assert_eq!(agent.routing().await, "IDLE");
    let mute = agent.post(&part.comm_path("/messages"), json!({ "textBody": "x" })).await;
    assert_eq!((mute.status, mute.code()), (409, "message.not.allowed"));
    agent.patch(&part.path("/parkingstate"), json!({ "state": "connected" })).await.ok(202);
    agent.patch(&part.path("/parkingstate"), json!({ "state": "lost" })).await.names("state");
    let attributes = part.path("/attributes");
    let told = agent.patch(&attributes, json!({ "attributes": { "case": "7" } })).await.ok(200);
    assert_eq!(told["attributes"]["case"], "7");
    assert_eq!(both().await.0["attributes"]["case"], "7");
    agent.patch(&attributes, json!({ "attributes": { "case": 7 } })).await.names("attributes.case");
}

#[tokio::test]
async fn a_transfer_to_a_queue_goes_to_somebody_else() {
    let rig = Rig::new().await;
    let (one, two) = (Agent::on_queue(&rig, 0).await, Agent::on_queue(&rig, 1).await);
    let mut guest = guest_who_said(&rig, "Hello").await;
    let part = one.answer().await;
    let sales = &rig.ready.queues[1].id;
    one.post(&part.path("/replace"), json!({ "queueId": sales, "transferType": "Unattended" })).await.ok(202);
    let next = two.part().await;
    assert_eq!((&next.conversation, next.state.as_str()), (&part.conversation, "alerting"));
    let media = two.get(&format!("/api/v2/conversations/messages/{}", part.conversation)).await;
    assert_eq!(of_purpose(&media, "agent")[0]["disconnectType"], "transfer");
    assert_eq!(of_purpose(&media, "agent")[1]["queue"]["id"], *sales);
    assert!(one.conversations().await.is_empty());
    two.answer().await;
    two.say(&next, "I have it now").await;
    assert_eq!(guest.next().await["body"]["channel"]["from"]["nickname"], "Agent Two", "and nothing came between");
}

#[tokio::test]
async fn a_transfer_to_a_user_comes_back_to_the_queue_if_nobody_answers() {
    let rig = Rig::new().await;
    let (one, two) = (Agent::on_queue(&rig, 0).await, Agent::sign_in(&rig, 1).await);
    two.go("Available").await;
    let _guest = guest_who_said(&rig, "Hello").await;
    let part = one.answer().await;
    let replace = part.path("/replace");
    let third = &rig.ready.agents[2].id;
    let offline = one.post(&replace, json!({ "userId": third })).await;
    assert_eq!((offline.status, offline.code()), (409, "transfer.notavailable"));
    one.post(&replace, json!({ "userId": one.id })).await.names("userId");
    one.post(&replace, json!({ "userId": two.id, "queueId": rig.ready.queue_id })).await.names("userId");
    one.post(&replace, json!({ "userId": two.id, "transferType": "Attended" })).await.names("transferType");
    assert_eq!(one.post(&replace, json!({ "address": "tel:+1" })).await.status, 400);
    assert_eq!(one.post(&replace, json!({ "userId": "u9" })).await.status, 404);
    rig.order(
        json!({ "do": "set_permissions", "user": one.id, "without": ["conversation:communication:blindTransfer"] }),
    );
    let refused = one.post(&replace, json!({ "userId": two.id })).await;
    assert_eq!((refused.status, refused.code()), (403, "missing.permissions"));
    rig.order(json!({ "do": "set_permissions", "user": one.id, "without": [] }));
    let generic =
        format!("/api/v2/conversations/{}/participants/{}/replace/agent", part.conversation, part.participant);
    one.post(&generic, json!({ "userId": two.id })).await.ok(202);
    assert_eq!(two.part().await.state, "alerting", "though not on queue");
    rig.clock.advance(Duration::from_secs(30));
    assert!(two.conversations().await.is_empty());
    assert_eq!(two.routing().await, "OFF_QUEUE", "it was not on queue");
    assert_eq!(one.part().await.state, "alerting", "the queue knows nobody else");
    let again = one.post(&replace, json!({ "userId": two.id })).await;
    assert_eq!((again.status, again.code()), (409, "conflict"), "that part of it is over");
}

#[tokio::test]
async fn a_mandatory_wrap_up_cannot_be_skipped_and_keeps_the_agent_busy() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_queue", "queue": "Sandbox support", "wrapup_prompt": "MANDATORY" }));
    let agent = Agent::on_queue(&rig, 0).await;
    let _guest = guest_who_said(&rig, "Hello").await;
    let alert = agent.part().await;
    let codes = agent.call(Method::GET, &alert.path("/wrapupcodes"), None).await.ok(200);
    let code = codes[0]["id"].clone();
    let early = agent.post(&alert.wrapup_path(), json!({ "code": code })).await;
    assert_eq!((early.status, early.code()), (409, "conflict"), "it was never there");
    let part = agent.answer().await;
    let communication = part.path(&format!("/communications/{}", part.communication));
    agent.patch(&communication, json!({ "state": "disconnected" })).await.ok(202);
    assert_eq!((agent.part().await.state, agent.routing().await), ("disconnected".into(), "INTERACTING".into()));
    let media = agent.get(&format!("/api/v2/conversations/messages/{}", part.conversation)).await;
    let mine = of_purpose(&media, "agent")[0].clone();
    assert_eq!((&mine["wrapupRequired"], &mine["wrapupPrompt"]), (&json!(true), &json!("mandatory")));
    assert!(mine["startAcwTime"].is_string() && mine.get("wrapup").is_none());
    let skipped = agent.patch(&part.path(""), json!({ "wrapupSkipped": true })).await;
    skipped.is(400, "wrapup.required", "The queue requires a wrap-up: it cannot be skipped");
    agent.post(&part.wrapup_path(), json!({})).await.names("code");
    agent.post(&part.wrapup_path(), json!({ "code": "c9" })).await.names("code");
    let confused = part.path(&format!("/communications/{}/wrapup", part.participant));
    assert_eq!(agent.post(&confused, json!({ "code": code })).await.status, 404);
    rig.order(json!({ "do": "set_permissions", "user": agent.id, "without": ["conversation:participant:wrapup"] }));
    assert_eq!(agent.post(&part.wrapup_path(), json!({ "code": code })).await.code(), "missing.permissions");
    rig.order(json!({ "do": "set_permissions", "user": agent.id, "without": [] }));
    agent.patch(&part.path(""), json!({ "wrapup": { "code": code } })).await.ok(202);
    assert_eq!((agent.conversations().await.len(), agent.routing().await), (0, "IDLE".into()));
}

#[tokio::test]
async fn the_emergency_end_ends_everything_and_wraps_up() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_queue", "wrapup_prompt": "MANDATORY" }));
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    let end = agent.post(&format!("/api/v2/conversations/{}/disconnect", part.conversation), json!({})).await;
    assert_eq!(end.ok(202), json!(part.conversation));
    assert_eq!(guest.next().await["body"]["events"][0]["presence"]["type"], "Disconnect");
    let media = agent.get(&format!("/api/v2/conversations/messages/{}", part.conversation)).await;
    for p in media["participants"].as_array().unwrap().iter().filter(|p| p["purpose"] != "acd") {
        assert_eq!((&p["state"], &p["disconnectType"]), (&json!("disconnected"), &json!("system")), "{p}");
    }
    assert_eq!(of_purpose(&media, "agent")[0]["wrapup"]["name"], "System");
    assert_eq!((agent.conversations().await.len(), agent.routing().await), (0, "IDLE".into()));
    assert_eq!(agent.post("/api/v2/conversations/c9/disconnect", json!({})).await.status, 404);
}

#[tokio::test]
async fn only_ones_own_part_can_be_worked_on() {
    let rig = Rig::new().await;
    let (one, two) = (Agent::on_queue(&rig, 0).await, Agent::sign_in(&rig, 1).await);
    let _guest = guest_who_said(&rig, "Hello").await;
    let part = one.answer().await;
    let foreign = two.patch(&part.path(""), json!({ "state": "disconnected" })).await;
    assert_eq!((foreign.status, foreign.code()), (403, "not.authorized"));
    assert_eq!(two.post(&part.comm_path("/messages"), json!({ "textBody": "x" })).await.status, 403);
    one.patch(&part.path(""), json!({ "state": "dancing" })).await.names("state");
    one.patch(&part.path(""), json!({ "held": "yes" })).await.names("held");
    let swapped = Part { participant: part.communication.clone(), communication: part.participant.clone(), ..part };
    let confused = one.patch(&swapped.path(""), json!({ "held": true })).await;
    assert!(confused.status == 404 && confused.message().ends_with("it is a communication"), "{confused:?}");
    let confused = one.post(&swapped.comm_path("/messages"), json!({ "textBody": "x" })).await;
    assert!(confused.status == 404 && confused.message().ends_with("it is a participant"), "{confused:?}");
    rig.order(json!({ "do": "set_permissions", "user": two.id,
        "without": ["conversation:message:view", "conversation:webmessaging:view"] }));
    let blind = two.call(Method::GET, &format!("/api/v2/conversations/{}", swapped.conversation), None).await;
    assert_eq!((blind.status, blind.code()), (403, "missing.any.permissions"));
    assert!(blind.message().ends_with("[conversation:message:view, conversation:webmessaging:view]"), "{blind:?}");
    assert_eq!(Value::Null, one.call(Method::GET, "/api/v2/conversations/c9", None).await.body["entities"]);
}
