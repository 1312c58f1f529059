import * as zlib from "node:zlib";
import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { chatAnswer } from "../support/ledger_server.ts";
import { ask, failure, pair, token } from "./pair.ts";

const ANSWER = JSON.stringify(chatAnswer("ü".repeat(50_000)));
const CODINGS: readonly [label: string, encode: (data: string | Uint8Array) => Uint8Array][] = [
  ["gzip", zlib.gzipSync],
  ["x-gzip", zlib.gzipSync],
  ["GZIP, identity", zlib.gzipSync],
  ["deflate", zlib.deflateSync],
  ["deflate", zlib.deflateRawSync],
  ["br", zlib.brotliCompressSync],
  ["zstd", zlib.zstdCompressSync],
  ["gzip, br", (data) => zlib.brotliCompressSync(zlib.gzipSync(data))],
  ["zstd,deflate , gzip", (data) => zlib.gzipSync(zlib.deflateSync(zlib.zstdCompressSync(data)))],
  // Two members, as `cat a.gz b.gz` makes them.
  ["gzip", (data) => {
    const half = Math.floor(data.length / 2);
    return concat(zlib.gzipSync(data.slice(0, half)), zlib.gzipSync(data.slice(half)));
  }],
  ["gzip", (data) => concat(withAllFields(zlib.gzipSync(data)), plain("garbage"))],
  // The header is missing, or a proxy has decoded the body and left the header.
  ["", zlib.gzipSync],
  ["", zlib.zstdCompressSync],
  ["gzip", plain],
  ["br", plain],
  ["deflate", plain],
  ["zstd, gzip", zlib.zstdCompressSync],
  ["utf-8", plain],
];

function plain(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

/** Adds the optional fields of a gzip header: extra data, a name, a comment, and a checksum. */
function withAllFields(member: Uint8Array): Uint8Array {
  const header = concat(member.subarray(0, 10), Uint8Array.of(1, 0, 7), plain("name\0comment\0"));
  header[3] = 0b11110;
  const checksum = zlib.crc32(header);
  return concat(header, Uint8Array.of(checksum, checksum >> 8), member.subarray(10));
}

function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** A body that arrives in pieces of `size` bytes. */
function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at += size));
    },
  });
}

function labeled(label: string, type: string): HeadersInit {
  return { "content-type": type, ...(label === "" ? {} : { "content-encoding": label }) };
}

Deno.test("an answer is read in every coding, whole and in pieces", async () => {
  let encoded: Uint8Array = new Uint8Array(0), label = "", size = 0;
  await using it = pair(() =>
    new Response(inPieces(encoded, size), { headers: labeled(label, "application/json") })
  );
  for (const [name, encode] of CODINGS) {
    label = name;
    encoded = encode(ANSWER);
    for (size of [encoded.length, 100, 7]) {
      if (encoded.length / size > 1_000) continue;
      assertEquals((await ask(it.teacher)).response.length, 50_000, `${name} ${size}`);
    }
  }
});

Deno.test("a stream is read in every coding while it arrives", async () => {
  let compress: zlib.Gzip | undefined;
  const coders = [
    ["gzip", zlib.createGzip],
    ["deflate", zlib.createDeflate],
    ["deflate", zlib.createDeflateRaw],
    ["br", zlib.createBrotliCompress],
    ["zstd", zlib.createZstdCompress],
  ] as const;
  let coder: (typeof coders)[number] = coders[0];
  await using it = pair(() => {
    const [label, create] = coder;
    const coded: zlib.Gzip = compress = create();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        coded.on("data", (chunk: Uint8Array) => controller.enqueue(new Uint8Array(chunk)));
        coded.write(token("4") + token("2", "stop"));
        coded.flush(() => {
          coded.write("data: [DONE]\n\n");
          // The end never arrives.
          coded.flush();
        });
      },
      cancel: () => void coded.destroy(),
    });
    return new Response(body, { headers: labeled(label, "text/event-stream") });
  }, { stream: true });
  for (coder of coders) {
    const { response, ttftMs } = await ask(it.teacher);
    assertEquals(response, "42", coder[0]);
    assert(ttftMs! >= 0);
    compress?.destroy();
  }
});

Deno.test("a refusal is read in every coding", async () => {
  const refusal = JSON.stringify({ error: { message: "slow down", code: "too_fast" } });
  await using it = pair(({ n }) => {
    const [label, encode] = CODINGS[n - 1];
    const headers = labeled(label, "application/json");
    return new Response(new Uint8Array(encode(refusal)), { status: 429, headers });
  });
  for (const [label] of CODINGS) {
    const { status, message, code } = await failure(ask(it.teacher));
    assertEquals([status, message, code], [429, "slow down", "too_fast"], label);
  }
});

Deno.test("a body that cannot be decoded is not an answer", async () => {
  const broken = zlib.gzipSync(ANSWER).subarray(0, 60);
  const wrong = new Uint8Array(zlib.gzipSync(ANSWER)).fill(7, 20, 40);
  for (const body of [broken, wrong, new Uint8Array([0x1f, 0x8b, 0, 0])]) {
    await using it = pair(() =>
      new Response(new Uint8Array(body), { headers: { "content-encoding": "gzip" } })
    );
    const { type } = await failure(ask(it.teacher));
    assert(["response", "network"].includes(type), type);
  }
});

Deno.test("a decompression bomb is not read to its end", async () => {
  const member = zlib.gzipSync(new Uint8Array(1024 * 1024).fill(32));
  const bomb = concat(zlib.gzipSync("{"), ...Array<Uint8Array>(260).fill(member));
  await using it = pair(() => new Response(bomb, { headers: { "content-encoding": "gzip" } }));
  const { message } = await failure(ask(it.teacher));
  assertEquals(message, "The answer is longer than 256 MiB");
});
