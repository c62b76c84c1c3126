// The vendor's JavaScript SDK, unmodified but for its host setting, works as an agent of the sandbox whose ready line
// comes in on stdin, while a bare guest writes to it. One line of JSON on stdout for each thing that was done.

import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import sdk from 'purecloud-platform-client-v2';
import WebSocket from 'ws';

const PATIENCE = 20_000;
setTimeout(() => {
  console.error('the script hangs');
  process.exit(2);
}, 100_000).unref();
const ready = JSON.parse(readFileSync(0, 'utf8'));
const user = ready.agents[0];
const done = (step, told = {}) => console.log(JSON.stringify({ step, ...told }));

/** A socket whose frames are waited for, in any order. */
class Frames {
  constructor(url) {
    this.seen = [];
    this.wishes = [];
    this.socket = new WebSocket(url);
    this.socket.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      const at = this.wishes.findIndex((w) => w.fits(frame));
      if (at >= 0) this.wishes.splice(at, 1)[0].take(frame);
      else this.seen.push(frame);
    });
    this.opened = new Promise((take, fail) => this.socket.once('open', take).once('error', fail));
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  next(what, fits) {
    const at = this.seen.findIndex(fits);
    if (at >= 0) return Promise.resolve(this.seen.splice(at, 1)[0]);
    return new Promise((take, fail) => {
      setTimeout(() => fail(new Error(`${what} did not come`)), PATIENCE).unref();
      this.wishes.push({ fits, take });
    });
  }
}

// The only setting: where the platform is.
const api = new URL(ready.api);
const client = sdk.ApiClient.instance;
client.setGateway({ host: api.hostname, protocol: api.protocol.replace(':', ''), port: Number(api.port) });

// A browser that is signed in already: it goes to the page and comes back at once.
const redirect = 'http://localhost:8400/callback';
const verifier = client.generatePKCECodeVerifier(64);
const page = new URL('/oauth/authorize', ready.login);
page.search = new URLSearchParams({
  response_type: 'code',
  client_id: ready.pkce_client_id,
  redirect_uri: redirect,
  code_challenge: await client.computePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  prompt: 'none',
  login_hint: user.email,
});
const back = new URL((await fetch(page, { redirect: 'manual' })).headers.get('location'));
const auth = await client.authorizePKCEGrant(ready.pkce_client_id, verifier, back.searchParams.get('code'), redirect);
assert.ok(auth.accessToken && auth.tokenExpiryTime > Date.now());
await new sdk.TokensApi().getTokensMe();
const users = new sdk.UsersApi();
const me = await users.getUsersMe({ expand: ['presence', 'routingStatus'] });
assert.equal(me.id, user.id);
assert.equal(me.presence.presenceDefinition.systemPresence, 'Available');
done('logged in', { user: me.name });

const notifications = new sdk.NotificationsApi();
const channel = await notifications.postNotificationsChannels();
const topic = (end) => `v2.users.${me.id}.${end}`;
const listening = new Frames(channel.connectUri);
await listening.opened;
const ends = ['conversations', 'conversations.messages', 'presence', 'routingStatus'];
const given = await notifications.putNotificationsChannelSubscriptions(channel.id, ends.map((end) => ({ id: topic(end) })));
assert.deepEqual(given.entities.map((t) => t.state), ends.map(() => 'Permitted'));
await notifications.headNotificationsChannel(channel.id);
const told = (what, end, fits) =>
  listening.next(what, (f) => f.topicName === topic(end) && fits(f.eventBody)).then((f) => f.eventBody);
done('channel open', { topics: given.entities.length });

const presences = new sdk.PresenceApi();
const onQueue = (await presences.getPresencedefinitions({ pageSize: 100 })).entities.find((d) => d.systemPresence === 'On Queue');
await presences.patchUserPresencesPurecloud(me.id, { presenceDefinition: { id: onQueue.id } });
await told('presence', 'presence', (e) => e.presenceDefinition.id === onQueue.id);
await told('routing status', 'routingStatus', (e) => e.routingStatus.status === 'IDLE');
const queues = await users.getUserQueues(me.id, { joined: true });
assert.deepEqual(queues.entities.map((q) => q.id), ready.queues.map((q) => q.id));
done('on queue');

const guest = new Frames(`${ready.guest_socket}?deploymentId=${ready.deployment_id}`);
await guest.opened;
const token = randomUUID();
guest.send({ action: 'configureSession', deploymentId: ready.deployment_id, token, startNew: false });
await guest.next('session', (f) => f.class === 'SessionResponse');
guest.send({ action: 'onMessage', token, message: { type: 'Text', text: 'Hello from the guest' } });
const echo = await guest.next('echo', (f) => f.body?.text === 'Hello from the guest');

const mine = (c) => c.participants.find((p) => p.purpose === 'agent' && p.endTime === undefined);
const alert = await told('alert', 'conversations', (c) => mine(c)?.messages[0].state === 'alerting');
const [cid, pid, comm] = [alert.id, mine(alert).id, mine(alert).messages[0].id];
assert.equal(mine(alert).userId, me.id);
await told('alert in the media shape', 'conversations.messages', (c) => mine(c)?.state === 'alerting');
done('alert received');

const conversations = new sdk.ConversationsApi();
const open = await conversations.getConversations();
assert.deepEqual(open.entities.map((c) => c.id), [cid]);
await conversations.patchConversationsMessageParticipant(cid, pid, { body: { state: 'connected' } });
const connected = await told('connected', 'conversations.messages', (c) => mine(c)?.state === 'connected');
const said = connected.participants.find((p) => p.purpose === 'customer').messages.map((m) => m.message.id);
assert.deepEqual(said, [echo.body.id], 'one id on both sides');
const texts = await conversations.postConversationsMessageMessagesBulk(cid, { body: said });
assert.equal(texts.entities[0].normalizedMessage.text, 'Hello from the guest');
done('answered');

await conversations.postConversationsMessageCommunicationTyping(cid, comm, { typing: { type: 'On', duration: 5000 } });
await guest.next('typing', (f) => f.body?.events?.[0]?.eventType === 'Typing');
const sent = await conversations.postConversationsMessageCommunicationMessages(cid, comm, { textBody: 'Hello from the agent' });
const heard = await guest.next('answer', (f) => f.body?.text === 'Hello from the agent');
assert.equal(heard.body.id, sent.id);
const again = await conversations.getConversationsMessageMessage(cid, sent.id);
assert.equal(again.normalizedMessage.text, 'Hello from the agent');
const upload = await conversations.postConversationsMessageCommunicationMessagesMediaUploads(cid, comm, {
  fileName: 'note.txt',
  contentLengthBytes: 5,
});
const put = await fetch(upload.uploadUrl, { method: 'PUT', headers: upload.uploadHeaders, body: 'bytes' });
assert.equal(put.status, 200);
const media = await conversations.getConversationsMessageCommunicationMessagesMediaMediaId(cid, comm, upload.id);
assert.equal(media.status, 'valid');
await conversations.postConversationsMessageCommunicationMessages(cid, comm, { mediaIds: [upload.id] });
await guest.next('file', (f) => f.body?.content?.[0]?.attachment?.filename === 'note.txt');
done('sent');

await conversations.patchConversationsMessageParticipantAttributes(cid, pid, { body: { attributes: { case: '7' } } });
const full = await conversations.getConversationsMessage(cid);
assert.equal(full.participants.find((p) => p.id === pid).attributes.case, '7');
await conversations.patchConversationsMessageParticipant(cid, pid, { body: { state: 'disconnected' } });
await told('end', 'conversations.messages', (c) => c.participants.find((p) => p.id === pid).state === 'disconnected');
await guest.next('end', (f) => f.body?.events?.[0]?.presence?.type === 'Disconnect');
done('disconnected');

const codes = await conversations.getConversationsMessageParticipantWrapupcodes(cid, pid);
await conversations.postConversationsMessageParticipantCommunicationWrapup(cid, pid, comm, {
  body: { code: codes[0].id, notes: 'by the SDK' },
});
const wrapup = await conversations.getConversationsMessageParticipantCommunicationWrapup(cid, pid, comm);
assert.equal(wrapup.code, codes[0].id);
done('wrapped up', { code: codes[0].name });

// The SDK rejects with the body of the error.
const missing = await conversations.getConversationsMessage(randomUUID()).then(() => assert.fail(), (e) => e);
assert.equal(missing.code, 'not.found');
await new sdk.TokensApi().deleteTokensMe();
await listening.next('revocation', (f) => f.topicName.startsWith('v2.system.token_revoked.'));
const dead = await users.getUsersMe().then(() => assert.fail(), (e) => e);
assert.equal(dead.status, 401);
done('logged out');
process.exit(0);
