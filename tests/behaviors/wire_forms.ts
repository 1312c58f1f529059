/** Whole answers in odd bytes: inside something else, in odd frames, charsets, lengths. @module */

import * as zlib from "node:zlib";
import type { Reply } from "../support/scripted_server.ts";
import type { ServerCase, ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json } from "./replies.ts";

const RESULT = { result: { response: "42" } } as const;
const WHOLE = answer("42"), STREAM = events([delta("4"), delta("2"), finish(), DONE]);
const TEXT = WHOLE.body as string, EVENTS = STREAM.body as string[];

function typed(reply: Reply, type: string): Reply {
  return { ...reply, headers: { "content-type": type } };
}

const COMPLETION = JSON.parse(TEXT);

/** An answer inside of something else. */
const WRAPPED: readonly ServerCase[] = ([
  ["gateways of companies", '`{"code":0,"msg":"success","data":{…}}` around the answer', {
    code: 0,
    msg: "success",
    data: COMPLETION,
  }],
  ["Cloudflare", '`{"result":{…},"success":true}` around the answer', {
    result: COMPLETION,
    success: true,
    errors: [],
  }],
  ["gateways", '`{"response":{…}}` around the answer', { response: COMPLETION }],
  ["functions behind AWS' gateway", "the answer as text in `body`", {
    statusCode: 200,
    body: JSON.stringify(COMPLETION),
  }],
  ["DashScope's own API", "`output` around the choices, counts next to it", {
    output: { choices: COMPLETION.choices },
    usage: { input_tokens: 7, output_tokens: 11 },
    request_id: "r",
  }],
  ["gateways that answer in lists", "the answer as the only element of a list", [COMPLETION]],
  ["gateways that encode twice", "the JSON text of the answer as a JSON text", TEXT],
] as const).map(([who, sends, body]) => ({
  who,
  sends,
  script: [json(JSON.stringify(body))],
  expected: { result: { response: "42", distill: { prompt_tokens: 7, completion_tokens: 11 } } },
}));

/** Chunks as bare JSON, one a line. */
function lines(...list: readonly unknown[]): Reply {
  const texts = list.map((one) => `${typeof one === "string" ? one : JSON.stringify(one)}\n`);
  return { headers: { "content-type": "application/x-ndjson" }, framing: "chunked", body: texts };
}

/** A stream whose bytes are not quite those of server-sent events. */
const FRAMED: readonly ServerCase[] = ([
  [
    "gateways that parse and frame again",
    "chunks as bare JSON, one a line",
    lines(
      delta("4"),
      delta("2"),
      finish(),
    ),
  ],
  [
    "gateways that parse and frame again",
    "the same and `[DONE]`",
    lines(
      delta("42"),
      finish(),
      "[DONE]",
    ),
  ],
  [
    "gateways of companies",
    '`{"data":{…}}` around each chunk',
    events([
      { data: delta("4") },
      { data: delta("2") },
      { data: finish() },
      DONE,
    ]),
  ],
  ["Windows servers", "a byte order mark, byte by byte", {
    ...STREAM,
    body: [Uint8Array.of(0xef), Uint8Array.of(0xbb, 0xbf), ...EVENTS],
  }],
  ["servers of the SSE standard", "lines that end in CR, byte by byte", {
    ...STREAM,
    body: EVENTS.join("").replaceAll("\n", "\r").split(""),
  }],
  ["servers of the SSE standard", "`event:`, `id:` and `retry:` with the data", {
    ...STREAM,
    body: EVENTS.map((one, i) => `event: x\nid: ${i}\nretry: 3000\n${one}`),
  }],
  ["proxies", "words as signs of life, as events and as data", {
    ...STREAM,
    body: [
      "event: ping\ndata: 12:00:00\n\n",
      EVENTS[0],
      "data: : keep-alive\n\n",
      "data: heartbeat\n\n",
      ...EVENTS.slice(1),
    ],
  }],
  ["proxies", "3,000 comments before the first token", {
    ...STREAM,
    body: [": ping\n\n".repeat(3_000), ...EVENTS],
  }],
  [
    "gateways",
    "white space before `data:`, and `Data:`",
    events([
      ` data: ${JSON.stringify(delta("4"))}\n\n`,
      `Data: ${JSON.stringify(delta("2"))}\n\n`,
      finish(),
      DONE,
    ]),
  ],
  // openai/openai-python#663
  [
    "gateways that lose line ends",
    "two chunks in one line, and `data: [DONE]` behind the last",
    events([
      `data: ${JSON.stringify(delta("4"))}${JSON.stringify(delta("2"))}\n\n`,
      `data: ${JSON.stringify(finish())}data: [DONE]\n\n`,
    ]),
  ],
  [
    "gateways that escape twice",
    "line ends as `\\n\\n`",
    events(
      [delta("4"), delta("2"), finish(), DONE].map((one) =>
        (typeof one === "string" ? one : `data: ${JSON.stringify(one)}\n\n`)
          .replaceAll("\n", "\\n")
      ),
    ),
  ],
  [
    "gateways that add their own end",
    "`[DONE]` twice",
    events([delta("42"), finish(), DONE, DONE]),
  ],
  ["gateways that close early", "chunks that break off in the one with `[DONE]`", {
    body: "",
    raw: [
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
      `1000\r\n${EVENTS.join("")}`,
    ],
    closes: true,
  }],
] as readonly (readonly [string, string, Reply])[]).map(([who, sends, reply]) => ({
  who,
  sends: `a stream with ${sends}`,
  flags: ["--stream"],
  script: [reply],
  expected: RESULT,
}));

/** The bytes of an answer in Latin-1. */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

const CAFE = { result: { response: "café" } } as const;
const CAFE_TEXT = answer("café").body as string;
const IN_LATIN1 = "application/json; charset=ISO-8859-1";

function utf16(order: "little" | "big"): Uint8Array {
  const bytes = new Uint8Array(2 * TEXT.length + 2), view = new DataView(bytes.buffer);
  [..."\ufeff" + TEXT].forEach((letter, i) =>
    view.setUint16(2 * i, letter.charCodeAt(0), order === "little")
  );
  return bytes;
}

/** A text with some bytes in the place of its `@`. */
function spliced(text: string, bytes: readonly number[]): Uint8Array {
  return new Uint8Array([...latin1(text)].flatMap((one) => one === 0x40 ? bytes : [one]));
}

function oddHead(fields: string, end = ""): Reply {
  const line = fields.includes("\r") ? "\r\n" : "\n";
  return { body: "", raw: `HTTP/1.1 200 OK${line}${fields}${TEXT}${end}` };
}

/** The first such head costs an attempt, no other one does. */
const ODD_HEADS = {
  flags: ["-c", "1"],
  rows: 3,
  expected: { result: { response: "42", distill: { attempts: 2 } }, counts: [3, 0, 0], posts: 4 },
} as const;

/** Bytes that are not UTF-8, or whose length is not what the head says. */
const BYTES: readonly ServerCase[] = [
  {
    who: "gateways to older systems",
    sends: "Latin-1, labeled so",
    script: [typed({ body: latin1(CAFE_TEXT) }, IN_LATIN1)],
    expected: CAFE,
  },
  {
    who: "gateways to older systems",
    sends: "UTF-8 labeled as Latin-1",
    script: [typed({ body: CAFE_TEXT }, IN_LATIN1)],
    expected: CAFE,
  },
  {
    who: "gateways to older systems",
    sends: "a stream in Latin-1 whose bytes come one by one, but for one event",
    flags: ["--stream"],
    script: [typed({
      framing: "chunked",
      body: [
        ...Array.from(
          latin1(`data: ${JSON.stringify(delta("café"))}\n\n`),
          (byte) => Uint8Array.of(byte),
        ),
        `data: ${JSON.stringify(delta("é"))}\n\n`,
        `data: ${JSON.stringify(finish())}\n\n${DONE}`,
      ],
    }, "text/event-stream; charset=windows-1252")],
    expected: { result: { response: "caféé" } },
  },
  ...[utf16("little"), utf16("big")].map((body, i) => ({
    who: "gateways on Windows",
    sends: `UTF-16, ${i === 0 ? "little" : "big"} endian, with a byte order mark and no label`,
    script: [{ headers: {}, body }],
    expected: RESULT,
  })),
  {
    who: "gateways to older systems",
    sends: "Latin-1 without a label",
    script: [{ ...answer(""), body: latin1(answer("café, déjà vu").body as string) }],
    expected: { result: { response: "café, déjà vu" } },
  },
  {
    who: "models that write half of an emoji",
    sends: "bytes that are half of a character, in UTF-8",
    script: [{ ...WHOLE, body: spliced(answer("fine @").body as string, [0xf0, 0x9f, 0x98]) }],
    expected: { result: { response: "fine \ufffd" } },
  },
  {
    who: "proxies that add what is there",
    sends: "`Content-Length` twice, with the same value",
    script: [oddHead(`content-length: ${TEXT.length}\r\nContent-Length: ${TEXT.length}\r\n\r\n`)],
    ...ODD_HEADS,
  },
  {
    who: "proxies that add what is there",
    sends: "`Content-Length` next to chunks",
    script: [
      oddHead(
        `content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n${TEXT.length.toString(16)}\r\n`,
        "\r\n0\r\n\r\n",
      ),
    ],
    ...ODD_HEADS,
  },
  {
    who: "small servers written by hand",
    sends: "a head whose lines end in LF alone",
    script: [oddHead(`x-a: b\ncontent-length: ${TEXT.length}\n\n`)],
    ...ODD_HEADS,
  },
  {
    who: "gateways that pad",
    sends: "something behind the end of gzip",
    script: [{
      headers: { "content-encoding": "gzip" },
      body: new Uint8Array([...zlib.gzipSync(TEXT), ...latin1("padding")]),
    }],
    expected: RESULT,
  },
  {
    who: "gateways that log in by cookies",
    sends: "header fields of 100 KB",
    script: [{ ...WHOLE, headers: { "set-cookie": "a".repeat(100_000) } }],
    expected: RESULT,
  },
  {
    who: "gateways that change the body",
    sends: "a `Content-Length` that is too long, and a connection that stays open",
    flags: ["--timeout", "2"],
    script: [{ ...WHOLE, framing: "length", breaks: true, stalls: true }],
    expected: RESULT,
  },
  {
    who: "gateways that change the body",
    sends: "a `Content-Length` that is too short, then an answer",
    script: [{
      body: "",
      raw: `HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n${TEXT}`,
    }, WHOLE],
    expected: { ...RESULT, posts: 2 },
  },
  {
    who: "gRPC gateways",
    sends: "a trailer behind the chunks",
    script: [{
      body: "",
      raw: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n" +
        `${TEXT.length.toString(16)}\r\n${TEXT}\r\n0\r\ngrpc-status: 0\r\n\r\n`,
    }],
    expected: RESULT,
  },
];

/** Answers that are whole behind odd bytes. */
export const WIRE_FORMS: ServerGroup = {
  title: "Wrappers, frames and bytes",
  cases: [...WRAPPED, ...FRAMED, ...BYTES],
};
