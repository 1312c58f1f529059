/** Tests of connecting and reconnecting. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { Link, reconnectDelayMs, socketAddress } from "../../web/page/link.js";
import type { ServerMessage } from "../../web/protocol.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A socket that the test opens and closes. */
class FakeWebSocket {
  readonly sent: string[] = [];
  onopen?: () => void;
  onclose?: (event: { code: number }) => void;
  onmessage?: (event: { data: unknown }) => void;

  send(text: string): void {
    this.sent.push(text);
  }
}

function follow(options: { isOver?: () => boolean } = {}) {
  const sockets: FakeWebSocket[] = [];
  const messages: ServerMessage[] = [];
  const link = new Link({
    connect: () => {
      const socket = new FakeWebSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    onMessage: (message: ServerMessage) => messages.push(message),
    isOver: options.isOver ?? (() => false),
    now: () => 0,
    random: () => 1,
  });
  link.start();
  return { link, sockets, messages };
}

Deno.test("the socket's address is relative to the page, with any port, prefix or TLS", () => {
  assertEquals(socketAddress("http://127.0.0.1:4000/"), "ws://127.0.0.1:4000/ws");
  assertEquals(socketAddress("http://localhost:9/run/7/?x#y"), "ws://localhost:9/run/7/ws");
  assertEquals(socketAddress("https://gpu.example/retort/"), "wss://gpu.example/retort/ws");
});

Deno.test("waits double up to 15 s, and half of each is random", () => {
  assertEquals([1, 2, 3, 6, 50].map((n) => reconnectDelayMs(n, 1)), [
    500,
    1_000,
    2_000,
    15_000,
    15_000,
  ]);
  assertEquals(reconnectDelayMs(3, 0), 1_000);
});

Deno.test("a page whose socket is cut reconnects, later each time, until it succeeds", async () => {
  using clock = new FakeClock();
  const { link, sockets } = follow();
  sockets[0].onopen?.();
  assertEquals(link.status.isOpen, true);
  sockets[0].onclose?.({ code: 1006 });
  assertEquals(link.status, { isOpen: false, tries: 0, nextMs: 500 });
  await clock.advance(499);
  assertEquals(sockets.length, 1);
  await clock.advance(1);
  sockets[1].onclose?.({ code: 1006 });
  assertEquals(link.status.nextMs, 1_000);
  await clock.advance(1_000);
  sockets[2].onopen?.();
  sockets[2].onclose?.({ code: 1006 });
  assertEquals(link.status.nextMs, 500);
});

Deno.test("a page does not reconnect to a server that has ended with its run", () => {
  using clock = new FakeClock();
  const { link, sockets } = follow({ isOver: () => true });
  sockets[0].onopen?.();
  sockets[0].onclose?.({ code: 1001 });
  assertEquals([link.status.nextMs, clock.pendingTimers], [null, 0]);
});

Deno.test("a page that lost the server of an ended run tries for less than the 10 s that it waits", async () => {
  using clock = new FakeClock();
  const { sockets } = follow({ isOver: () => true });
  sockets[0].onopen?.();
  sockets[0].onclose?.({ code: 1006 });
  for (let i = 1; i < 5; i++) {
    await clock.advance(4_000);
    sockets[i].onclose?.({ code: 1006 });
  }
  assertEquals([sockets.length, clock.pendingTimers], [5, 0]);
});

Deno.test("a page sends a heartbeat for as long as it is connected", async () => {
  using clock = new FakeClock();
  const { sockets } = follow({ isOver: () => true });
  sockets[0].onopen?.();
  await clock.advance(20_000);
  await clock.advance(20_000);
  sockets[0].onclose?.({ code: 1001 });
  await clock.advance(60_000);
  assertEquals(sockets[0].sent, ['{"visible":true}', '{"visible":true}']);
});

Deno.test("a page reports when it is hidden and when it is shown, also after it has reconnected", async () => {
  using clock = new FakeClock();
  const { link, sockets } = follow();
  sockets[0].onopen?.();
  link.setVisible(false);
  link.setVisible(false);
  sockets[0].onclose?.({ code: 1006 });
  await clock.advance(500);
  sockets[1].onopen?.();
  link.setVisible(true);
  assertEquals(sockets.map(({ sent }) => sent), [
    ['{"visible":false}'],
    ['{"visible":false}', '{"visible":true}'],
  ]);
});

Deno.test("a page that is shown again connects at once", () => {
  using clock = new FakeClock();
  const { link, sockets } = follow();
  link.setVisible(false);
  sockets[0].onclose?.({ code: 1006 });
  link.setVisible(true);
  assertEquals([sockets.length, clock.pendingTimers], [2, 0]);
  sockets[0].onclose?.({ code: 1006 });
  assertEquals(clock.pendingTimers, 0, "what the old socket says does not count");
});

Deno.test("invalid messages are ignored", () => {
  const { sockets, messages } = follow();
  for (const data of ["{", new Uint8Array(3), '{"type":"end","summary":null}']) {
    sockets[0].onmessage?.({ data });
  }
  assert(messages.length === 1 && messages[0].type === "end");
});
