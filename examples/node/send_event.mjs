// Sends an event to the ingress (docs/ingress.md), with a token or a signature. Node 18 or newer, no packages.
//   INGRESS_TOKEN=... node examples/node/send_event.mjs msg-8841 @john_doe 'hey, saw your post!'
import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const { INGRESS_URL = "http://127.0.0.1:8080", INGRESS_TOKEN, INGRESS_SIGNING_SECRET } = process.env;
const COME_AGAIN = [408, 425, 429, 500, 502, 503, 504];

function credentials(id, body) {
  if (!INGRESS_SIGNING_SECRET) return { authorization: `Bearer ${INGRESS_TOKEN}` };
  const key = Buffer.from(INGRESS_SIGNING_SECRET.replace(/^whsec_/, ""), "base64");
  const timestamp = Math.floor(Date.now() / 1000).toString(); // each try has its own: an old one is refused
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

async function post(id, body) {
  const headers = { "content-type": "application/json", ...credentials(id, body) };
  const options = { method: "POST", headers, body, redirect: "error", signal: AbortSignal.timeout(10_000) };
  const answer = await fetch(`${INGRESS_URL}/v1/events`, options);
  return { status: answer.status, later: Number(answer.headers.get("retry-after")) || 0, value: await answer.json() };
}

// The same event_id again is a duplicate and makes no second turn, so a request without an answer is sent again.
async function send(event) {
  const body = JSON.stringify({ event_id: randomUUID(), ...event });
  const id = `msg_${randomUUID()}`;
  for (let attempt = 1; ; attempt++) {
    const answer = await post(id, body).catch(() => ({ status: 0, later: 0 }));
    if (answer.status === 202) return answer.value;
    const again = answer.status === 0 || COME_AGAIN.includes(answer.status);
    if (!again || attempt === 6 || answer.later > 30) throw new Error(`status ${answer.status}, ${answer.value?.type ?? "no answer"}`);
    await sleep(1000 * Math.max(answer.later, 0.1 * 2 ** attempt));
  }
}

const [event_id, target, message] = process.argv.slice(2);
const channel = { session_id: "lance_catcher_69c35e3e", metadata: {} }; // of the Captivate request: where the answer goes
console.log(JSON.stringify(await send({ kind: "inbound_chat", event_id, persona: "ava", target, message, channel })));
