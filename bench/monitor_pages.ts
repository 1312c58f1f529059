/** Opens pages of the monitor without a browser, in a separate process. @module */

import { openWebSocket } from "../tests/support/web_socket.ts";
import type { ServerMessage } from "../web/protocol.ts";
import { type Helper, startHelper, untilEnd } from "./processes.ts";

export interface PagesOptions {
  readonly port: number;
  /** The cookie with the token: `name=value`. */
  readonly cookie: string;
  readonly reading: number;
  readonly stalled: number;
}

export interface PagesReport {
  readonly seconds: number;
  /** Bytes of all messages, without the headers of WebSocket frames. */
  readonly bytes: number;
  readonly snapshots: number;
  readonly largestSnapshotBytes: number;
  /** Pages whose connection the monitor closed. */
  readonly lost: number;
}

export async function openPages(options: PagesOptions): Promise<Helper<PagesReport>> {
  return await startHelper(import.meta.filename!, options);
}

async function watch(options: PagesOptions): Promise<void> {
  const report = { bytes: 0, snapshots: 0, largestSnapshotBytes: 0, lost: 0 };
  const openings: Promise<unknown>[] = [];
  const readingPages = Array.from({ length: options.reading }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    openings.push(promise);
    return openPage(options, {
      received(text) {
        resolve();
        const bytes = ENCODER.encode(text).length;
        report.bytes += bytes;
        // Real pages parse messages, too.
        const { type }: ServerMessage = JSON.parse(text);
        if (type !== "snapshot") return;
        report.snapshots++;
        report.largestSnapshotBytes = Math.max(report.largestSnapshotBytes, bytes);
      },
      closed() {
        reject(new Error("Cannot open a page of the monitor"));
        report.lost++;
      },
    });
  });
  const stalledPages = Array.from({ length: options.stalled }, () => openStalled(options));
  openings.push(...stalledPages);
  await Promise.all(openings);
  // Messages sent while pages open are not counted, but the largest snapshot may be one of them.
  report.bytes = report.snapshots = 0;
  const openedMs = performance.now();
  console.log("open");
  await untilEnd();
  const seconds = (performance.now() - openedMs) / 1_000;
  console.log(JSON.stringify({ seconds, ...report }));
  for (const page of readingPages) page.close();
  for (const connection of await Promise.all(stalledPages)) connection.close();
}

const ENCODER = new TextEncoder();

interface PageListener {
  received(text: string): void;
  closed(): void;
}

function openPage({ port, cookie }: PagesOptions, listener: PageListener): WebSocket {
  const host = `127.0.0.1:${port}`;
  const socket = openWebSocket(`ws://${host}/ws`, { origin: `http://${host}`, cookie });
  socket.onmessage = ({ data }) => listener.received(data);
  socket.onclose = () => listener.closed();
  socket.onerror = (event) => event.preventDefault();
  return socket;
}

const UPGRADED = "HTTP/1.1 101";

/** Opens a page that reads nothing after the upgrade. */
async function openStalled({ port, cookie }: PagesOptions): Promise<Deno.TcpConn> {
  const host = `127.0.0.1:${port}`;
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = [
    "GET /ws HTTP/1.1",
    `Host: ${host}`,
    `Origin: http://${host}`,
    `Cookie: ${cookie}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
    "",
  ];
  await connection.write(ENCODER.encode(head.join("\r\n")));
  const answer = new Uint8Array(UPGRADED.length);
  await connection.read(answer);
  const text = new TextDecoder().decode(answer);
  if (text !== UPGRADED) throw new Error(`Cannot open a page: the monitor replied "${text}"`);
  return connection;
}

if (import.meta.main) await watch(JSON.parse(Deno.args[0]));
