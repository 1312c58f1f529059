/** Rows with images. @module */

import type { RowCase, RowGroup } from "./case.ts";

const PNG_BASE64 =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const PNG = Uint8Array.fromBase64(PNG_BASE64);
const JPEG = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0, 16]);
const GIF = new TextEncoder().encode("GIF89a\x01");
const WEBP = new TextEncoder().encode("RIFF\x04\0\0\0WEBPVP8 ");
const PNG_URL = `data:image/png;base64,${PNG_BASE64}`;
const MAX_BYTES = 20 * 1024 * 1024;

function image(url: string): string {
  return `{"type":"image_url","image_url":{"url":"${url}"}}`;
}

function text(text: string): string {
  return `{"type":"text","text":${JSON.stringify(text)}}`;
}

function user(...parts: string[]): string {
  return `"messages":[{"role":"user","content":[${parts.join(",")}]}]`;
}

function row(images: string, content = "<image>What?"): string {
  return `{"messages":[{"role":"user","content":${JSON.stringify(content)}}],"images":${images}}`;
}

function padded(bytes: number): Uint8Array {
  const padded = new Uint8Array(bytes);
  padded.set(PNG);
  return padded;
}

const IN_FOLDER = 'it must be in the folder "$DIR/in" (--images-root)';

function refused(what: string, path: string, reason: string, more: Partial<RowCase> = {}): RowCase {
  return {
    what,
    rows: [row(JSON.stringify([path]))],
    bad: `cannot send the image ${JSON.stringify(path)}: ${reason}`,
    ...more,
  };
}

/** Rows with images. */
export const IMAGES: RowGroup = {
  title: "Images",
  intro:
    "Images in a column `images` or `image` become content parts where the prompt says `<image>`. " +
    "Addresses are sent as they are. Files are read when they are sent. They must be PNG, JPEG, GIF " +
    "or WebP of 20 MiB at most, in the folder of the input or that of `--images-root`, even if a link " +
    "leads to them. Results lines hold only their paths.",
  cases: [
    {
      what: "an address",
      rows: [row('["https://a.example/1.png"]')],
      sent: [user(image("https://a.example/1.png"), text("What?"))],
    },
    {
      what: "a file next to the input (LLaMA-Factory)",
      rows: [row('["img/1.png"]')],
      files: { "in/img/1.png": PNG },
      sent: [user(image(PNG_URL), text("What?"))],
    },
    {
      what: "JPEG, GIF and WebP, whatever their names",
      rows: [row('["a.png","b","c.txt"]', "<image><image>and<image>")],
      files: { "in/a.png": JPEG, "in/b": GIF, "in/c.txt": WEBP },
      sent: [
        user(
          image(`data:image/jpeg;base64,${JPEG.toBase64()}`),
          image(`data:image/gif;base64,${GIF.toBase64()}`),
          text("and"),
          image(`data:image/webp;base64,${WEBP.toBase64()}`),
        ),
      ],
    },
    {
      what: "LLaVA",
      rows: [
        '{"id":"1","image":"coco/1.jpg","conversations":[{"from":"human","value":"<image>\\nWhat?"},{"from":"gpt","value":"old"}]}',
      ],
      files: { "in/coco/1.jpg": PNG },
      sent: [user(image(PNG_URL), text("\nWhat?"))],
      uids: ["1"],
    },
    {
      what: "another folder, and an absolute path in it",
      rows: [row('["1.png","$DIR/img/1.png"]', "<image><image>")],
      flags: ["--images-root", "$DIR/img"],
      files: { "img/1.png": PNG },
      sent: [user(image(PNG_URL), image(PNG_URL))],
    },
    {
      what: "a link that stays in the folder",
      rows: [row('["link.png"]')],
      files: { "in/1.png": PNG, "in/link.png": "-> 1.png" },
      sent: [user(image(PNG_URL), text("What?"))],
    },
    {
      what: "a single image, not a list",
      rows: [row('"https://a.example/1.png"')],
      sent: [user(image("https://a.example/1.png"), text("What?"))],
    },
    {
      what: "objects as Hugging Face writes them",
      rows: [
        row(
          `[{"bytes":"${PNG_BASE64}","path":null},{"bytes":null,"path":"1.png"},{"url":"https://a.example/1.png"}]`,
          "<image><image><image>",
        ),
      ],
      files: { "in/1.png": PNG },
      sent: [user(image(PNG_URL), image(PNG_URL), image("https://a.example/1.png"))],
    },
    {
      what: "a data URL",
      rows: [row(`["${PNG_URL}"]`)],
      sent: [user(image(PNG_URL), text("What?"))],
    },
    {
      what: "placeholders among content parts (TRL)",
      rows: [
        '{"prompt":[{"role":"user","content":[{"type":"image","text":null},{"type":"text","text":"What?"}]}],"images":["https://a.example/1.png"]}',
      ],
      sent: [user(image("https://a.example/1.png"), text("What?"))],
    },
    {
      what: "content parts with a source (Qwen)",
      rows: [
        '{"messages":[{"role":"user","content":[{"type":"image","image":"1.png"},{"type":"text","text":"What?"}]}]}',
      ],
      files: { "in/1.png": PNG },
      sent: [user(image(PNG_URL), text("What?"))],
    },
    {
      what: "content parts in a bare array of messages",
      rows: [
        '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"1.png"}},{"type":"image","image":"1.png"}]}]',
      ],
      files: { "in/1.png": PNG },
      sent: [user(image(PNG_URL), image(PNG_URL))],
    },
    {
      what: "a prompt and its image",
      rows: ['{"prompt":"Look: <image> What?","image":"https://a.example/1.png","system":"s"}'],
      sent: [
        `"messages":[{"role":"system","content":"s"},{"role":"user","content":[${text("Look: ")},${
          image("https://a.example/1.png")
        },${text(" What?")}]}]`,
      ],
    },
    {
      what: "a text that speaks of `<image>`, and no column",
      rows: ['{"prompt":"What is <image> in SVG?","images":null}'],
      sent: ['"messages":[{"role":"user","content":"What is <image> in SVG?"}]'],
    },
    {
      what: "a template that does not ask for the image",
      rows: ['{"image":"1.png","caption":"a cat"}'],
      flags: ["--template", "Rewrite: {{caption}}"],
      sent: ['"messages":[{"role":"user","content":"Rewrite: a cat"}]'],
      says: "not sent: image",
    },
    {
      what: "a template with a recording",
      rows: ['{"audio":"1.wav","text":"a cat"}'],
      flags: ["--template", "Rewrite: {{text}}"],
      sent: ['"messages":[{"role":"user","content":"Rewrite: a cat"}]'],
      says: "not sent: audio",
    },
    {
      what: "an empty column",
      rows: ['{"prompt":"What is <image>?","images":"","video":false}'],
      sent: ['"messages":[{"role":"user","content":"What is <image>?"}]'],
      says: "not sent: video",
    },
    {
      what: "a list without images",
      rows: [row("[]")],
      bad: '"images" must have one image for each <image> in the prompt: it has 0 images for ' +
        "1 placeholder",
    },
    {
      what: "two columns of images",
      rows: ['{"prompt":"<image>","images":["1.png"],"image":"1.png"}'],
      bad: '"images" and "image" must not both contain images',
    },
    {
      what: "fewer placeholders than images",
      rows: [row('["https://a.example/1.png"]', "What?")],
      bad: '"images" must have one image for each <image> in the prompt: it has 1 image for ' +
        "0 placeholders",
    },
    {
      what: "more placeholders than images",
      rows: [row('["https://a.example/1.png"]', "<image><image>What?")],
      bad: '"images" must have one image for each <image> in the prompt: it has 1 image for ' +
        "2 placeholders",
    },
    refused("a path outside the folder", "/etc/passwd", IN_FOLDER),
    refused("a path that leads out of the folder", "../secret.png", IN_FOLDER, {
      files: { "secret.png": PNG },
    }),
    refused("a link that leads out of the folder", "link.png", IN_FOLDER, {
      files: { "secret.png": PNG, "in/link.png": "-> ../secret.png" },
    }),
    refused("a link among folders that leads out", "link/secret.png", IN_FOLDER, {
      files: { "other/secret.png": PNG, "in/link": "-> $DIR/other" },
    }),
    refused("a file address that leads out", "file:///etc/passwd", IN_FOLDER, {
      bad: `cannot send the image "/etc/passwd": ${IN_FOLDER}`,
    }),
    refused("a file address with a drive", "file:///C:/1.png", "no such file", {
      bad: 'cannot send the image "C:/1.png": no such file',
    }),
    refused("a file that is not there", "none.png", "no such file"),
    refused("a path with a drive in a content part", "C:\\1.png", "no such file", {
      rows: [
        '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"C:\\\\1.png"}}]}]}',
      ],
    }),
    refused("a folder", ".", IN_FOLDER),
    refused("another kind of file", "1.png", "it must be PNG, JPEG, GIF or WebP", {
      files: { "in/1.png": "<svg/>" },
    }),
    refused(
      "a folder that is not there",
      "1.png",
      'the folder "$DIR/none" cannot be read: no such file',
      {
        flags: ["--images-root", "$DIR/none"],
      },
    ),
    refused(
      "a file that is too large",
      "1.png",
      "it must have at most 20 MiB (20,971,520 bytes): it has 20,971,521 bytes",
      { files: { "in/1.png": padded(MAX_BYTES + 1) } },
    ),
    {
      what: "a kind of address that servers cannot read",
      rows: [row('["s3://bucket/1.png"]')],
      bad: '"images[0]" must be an address (http, https, data:image/) or a path: ' +
        'current value is "s3://bucket/1.png"',
    },
    {
      what: "bytes that are not an image",
      rows: [row('[{"bytes":"aGVsbG8="}]')],
      bad: '"images[0].bytes" must be a PNG, JPEG, GIF or WebP image as base64: ' +
        'current value is "aGVsbG8="',
    },
    {
      what: "videos",
      rows: ['{"prompt":"<video>What?","videos":["1.mp4"]}'],
      bad: '"videos" cannot be sent: only images can',
    },
    {
      what: "a recording",
      rows: ['{"question":"Who speaks?","audio":{"path":"1.wav"}}'],
      bad: '"audio" cannot be sent: only images can',
    },
  ],
};
