//! The keys of an environment: rotation, and what a failure leaves behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, json};

use super::super::{KeyRing, SigningKey};
use super::PAIRS;
use crate::model::{KeyState, Report, Wall};
use crate::vault::Vault;
use crate::vault::fake::Fake;

const NOW: Wall = Wall(1_790_000_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn later(d: Duration) -> Wall {
    NOW + d
}

/// A ring with one key, `old`, in a vault.
fn ring(vault: &Vault) -> KeyRing {
    let mut ring = KeyRing::new("env-1", Vec::new());
    ring.add(vault, "old", &PAIRS[0], NOW, None).unwrap();
    ring
}

fn states(ring: &KeyRing) -> Vec<(&str, KeyState)> {
    ring.keys().iter().map(|k| (k.kid.as_str(), k.state)).collect()
}

fn code<T: std::fmt::Debug>(result: Result<T, Report>) -> String {
    result.unwrap_err().code
}

fn signed(ring: &KeyRing, vault: &Vault) -> String {
    let (kid, key) = ring.signer(vault).unwrap();
    let claims = Map::from_iter([("guestId".to_owned(), json!("g"))]);
    key.sign_rs256(&kid, &claims).unwrap().expose().clone()
}

#[test]
fn a_new_key_signs_and_the_one_before_stays_good_for_a_while() {
    let vault = Vault::in_memory();
    let mut ring = ring(&vault);
    let token = signed(&ring, &vault);
    ring.add(&vault, "new", &PAIRS[1], later(DAY), Some(DAY)).unwrap();

    let until = later(DAY * 2);
    assert_eq!(states(&ring), [("old", KeyState::Overlapping { until: Some(until) }), ("new", KeyState::Active)]);
    let (kid, key) = ring.signer(&vault).unwrap();
    assert_eq!((kid.as_str(), key.public()), ("new", PAIRS[1].public()));
    assert_eq!(ring.verify(&token, later(DAY)).unwrap()["guestId"], "g");
    assert_eq!(ring.verify(&signed(&ring, &vault), later(DAY)).unwrap()["guestId"], "g");

    assert_eq!(code(ring.verify(&token, until)), "key-retired");
    assert!(!ring.settle(later(DAY)));
    assert!(ring.settle(until));
    assert_eq!(states(&ring), [("old", KeyState::Retired), ("new", KeyState::Active)]);
    assert!(!ring.settle(until));
}

#[test]
fn private_parts_are_in_the_vault_only() {
    let vault = Vault::in_memory();
    let ring = ring(&vault);
    let stored = vault.get("env-1/signing-key/old").unwrap().unwrap();
    assert_eq!(SigningKey::from_pem(stored.expose().as_bytes()).unwrap().public(), PAIRS[0].public());
    let text = format!("{ring:?}{}", serde_json::to_string(ring.keys()).unwrap());
    assert!(!text.contains("PRIVATE") && text.contains("BEGIN PUBLIC KEY"));
    // What was stored makes the same ring again.
    let keys = serde_json::from_str(&serde_json::to_string(ring.keys()).unwrap()).unwrap();
    assert_eq!(KeyRing::new("env-1", keys), ring);
    // Another environment has its own.
    assert_eq!(code(KeyRing::new("env-2", ring.keys().to_vec()).signer(&vault)), "key-lost");
}

#[test]
fn a_key_that_the_vault_refuses_changes_nothing() {
    let fake = Arc::new(Fake::default());
    let vault = Vault::over(fake.clone(), Duration::from_secs(60));
    let mut ring = ring(&vault);
    let before = ring.clone();

    fake.refuses.store(true, Ordering::Relaxed);
    assert_eq!(code(ring.add(&vault, "new", &PAIRS[1], NOW, Some(DAY))), "keyring-failed");
    assert_eq!(ring, before);
    fake.refuses.store(false, Ordering::Relaxed);
    assert!(vault.get("env-1/signing-key/new").unwrap().is_none(), "it does not stay in memory either");
    assert_eq!(ring.signer(&vault).unwrap().0, "old");

    // A keyring that takes it and does not have it afterwards.
    fake.forgets.store(true, Ordering::Relaxed);
    assert_eq!(code(ring.add(&vault, "new", &PAIRS[1], NOW, Some(DAY))), "key-lost");
    assert_eq!(ring, before);
    fake.forgets.store(false, Ordering::Relaxed);
    assert_eq!(ring.signer(&vault).unwrap().0, "old");

    // And then it works.
    ring.add(&vault, "new", &PAIRS[1], NOW, Some(DAY)).unwrap();
    assert_eq!(ring.signer(&vault).unwrap().0, "new");
}

#[test]
fn a_deletion_that_fails_leaves_the_key_to_be_deleted_again() {
    let fake = Arc::new(Fake::default());
    let vault = Vault::over(fake.clone(), Duration::from_secs(60));
    let mut ring = ring(&vault);
    ring.add(&vault, "new", &PAIRS[1], NOW, None).unwrap();
    fake.refuses.store(true, Ordering::Relaxed);
    assert_eq!(code(ring.delete(&vault, "old")), "keyring-failed");
    assert!(ring.get("old").is_some());
    fake.refuses.store(false, Ordering::Relaxed);
    ring.delete(&vault, "old").unwrap();
    assert_eq!(states(&ring), [("new", KeyState::Active)]);
    let left: Vec<String> = fake.entries.lock().unwrap().keys().cloned().collect();
    assert_eq!(left, ["env-1/signing-key/new"]);
}

#[test]
fn the_active_key_is_neither_retired_nor_deleted_while_there_are_others() {
    let vault = Vault::in_memory();
    let mut ring = ring(&vault);
    assert_eq!(code(ring.retire("old")), "key-active");
    ring.add(&vault, "new", &PAIRS[1], NOW, None).unwrap();
    for result in [ring.clone().retire("new"), ring.clone().delete(&vault, "new")] {
        assert_eq!(code(result), "key-active");
    }
    let only_old = KeyRing::new("env-1", ring.keys()[..1].to_vec());
    assert!(only_old.active().is_none());
    assert_eq!(code(only_old.signer(&vault)), "no-active-key");

    ring.retire("old").unwrap();
    assert_eq!(states(&ring)[0].1, KeyState::Retired);
    ring.delete(&vault, "old").unwrap();
    ring.delete(&vault, "new").unwrap();
    assert!(ring.keys().is_empty());
    assert!(vault.get("env-1/signing-key/new").unwrap().is_none());
}

#[test]
fn the_key_of_before_can_sign_again() {
    let vault = Vault::in_memory();
    let mut ring = ring(&vault);
    ring.add(&vault, "new", &PAIRS[1], NOW, None).unwrap();
    ring.activate(&vault, "old", NOW, Some(DAY)).unwrap();
    assert_eq!(states(&ring)[0].1, KeyState::Active);
    assert_eq!(states(&ring)[1].1, KeyState::Overlapping { until: Some(later(DAY)) });
    assert_eq!(ring.signer(&vault).unwrap().0, "old");
    // To itself: nothing changes.
    let before = ring.clone();
    ring.activate(&vault, "old", NOW, None).unwrap();
    assert_eq!(ring, before);
    // Without its private part it cannot.
    vault.delete("env-1/signing-key/new").unwrap();
    assert_eq!(code(ring.activate(&vault, "new", NOW, None)), "key-lost");
    assert_eq!(ring, before);
}

#[test]
fn a_private_part_that_was_lost_can_be_put_back_but_no_other() {
    let ring = ring(&Vault::in_memory());
    // The next start, without a keyring.
    let vault = Vault::in_memory();
    let report = ring.signer(&vault).unwrap_err();
    assert_eq!(report.code, "key-lost");
    assert!(report.text().contains("memory only"), "{}", report.text());
    assert_eq!(code(ring.put_back(&vault, "old", &PAIRS[1])), "key-mixed-up");
    assert!(ring.signer(&vault).is_err());
    ring.put_back(&vault, "old", &PAIRS[0]).unwrap();
    assert_eq!(ring.signer(&vault).unwrap().1.public(), PAIRS[0].public());
    // Another private part under its name is noticed.
    vault.set("env-1/signing-key/old", &PAIRS[1].to_pem().unwrap()).unwrap();
    assert_eq!(code(ring.signer(&vault)), "key-mixed-up");
    vault.set("env-1/signing-key/old", &"rubbish".into()).unwrap();
    assert_eq!(code(ring.signer(&vault)), "key-not-pem");
}

#[test]
fn a_kid_is_used_once_and_unknown_ones_are_told() {
    let vault = Vault::in_memory();
    let mut ring = ring(&vault);
    assert_eq!(code(ring.add(&vault, "old", &PAIRS[1], NOW, None)), "kid-taken");
    assert_eq!(code(ring.add(&vault, "a/b", &PAIRS[1], NOW, None)), "kid-invalid");
    assert_eq!(code(ring.retire("x")), "kid-unknown");
    assert_eq!(code(ring.delete(&vault, "x")), "kid-unknown");
    assert_eq!(code(ring.load(&vault, "x")), "kid-unknown");
    assert_eq!(code(ring.put_back(&vault, "x", &PAIRS[0])), "kid-unknown");
    assert_eq!(code(ring.activate(&vault, "x", NOW, None)), "kid-unknown");
    let foreign = PAIRS[0].sign_rs256("x", &Map::new()).unwrap();
    assert_eq!(code(ring.verify(foreign.expose(), NOW)), "kid-unknown");
    // The right name, but another key.
    let forged = PAIRS[1].sign_rs256("old", &Map::new()).unwrap();
    assert_eq!(code(ring.verify(forged.expose(), NOW)), "token-signature");
    assert_eq!(code(KeyRing::new("", Vec::new()).add(&vault, "k", &PAIRS[0], NOW, None)), "environment-not-stored");
}

#[test]
fn names_are_proposed_after_the_day() {
    let vault = Vault::in_memory();
    let mut ring = KeyRing::new("env-1", Vec::new());
    for kid in ["key-2026-09-21", "key-2026-09-21-2", "key-2026-09-21-3"] {
        assert_eq!(ring.free_kid(NOW), kid);
        ring.add(&vault, kid, &PAIRS[0], NOW, None).unwrap();
    }
}
