/**
 * Writes the figures of `docs/flow.md` from the scenes that they come from:
 * `deno run --allow-all tests/engine/scenes/flow_page.ts`.
 *
 * @module
 */

import { TeacherError } from "../../../lib/errors.ts";
import { withGenerated, writePage } from "../../support/generated_page.ts";
import { between, play, type Scene, type SceneResult } from "../scene.ts";
import { tooMany } from "../timed_teacher.ts";

const PAGE = new URL("../../../docs/flow.md", import.meta.url);
const QUICK = { concurrency: 200, latencyMs: 200, refusalMs: 5 };
const LANES = { concurrency: 200, latencyMs: 1_000, spread: 0.3 };

interface Played {
  readonly what: string;
  readonly scene: Scene;
  readonly mostS?: number;
  readonly figures: (result: SceneResult) => string;
}

const atRandom = (share: number, retryAfterMs?: number): Scene["refuse"] => ({ random }) =>
  random() < share ? tooMany(retryAfterMs) : undefined;

const times = (value: number) => `${value.toFixed(2)} ×`;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const refused = ({ refused, posts }: SceneResult) => `${percent(refused / posts)} refused`;
const byCalls = (result: SceneResult) => `${times(result.byCalls)} the calls, ${refused(result)}`;
const byLeast = (leastS: number) => (result: SceneResult) =>
  `${times(result.wallMs / 1_000 / leastS)} the least time, ${refused(result)}`;

function atRate(perSecond: number, burst: number): Scene["refuse"] {
  let level = burst, seenAt = 0;
  return ({ seconds }) => {
    level = Math.min(burst, level + (seconds - seenAt) * perSecond);
    seenAt = seconds;
    if (level < 1) return tooMany();
    level--;
    return undefined;
  };
}

function byMinute(quota: number): Scene["refuse"] {
  let minute = -1, count = 0;
  return ({ seconds }) => {
    if (Math.floor(seconds / 60) !== minute) {
      minute = Math.floor(seconds / 60);
      count = 0;
    }
    return count++ < quota ? undefined : tooMany();
  };
}

const down = new TeacherError("Overloaded", { status: 503 });
const SCENES: readonly Played[] = [
  {
    what: "nothing refused, 4,000 rows, 200 lanes, answers after 1 s",
    scene: { ...LANES, rows: 4_000, refuse: () => undefined },
    figures: (result) =>
      `${result.postsPerSecond[0]} posts in the first second, ${byCalls(result)}`,
  },
  ...[0.01, 0.05, 0.1, 0.2].map((share) => ({
    what: `${
      100 * share
    } % refused at random with \`Retry-After: 1\`, 40,000 rows, 200 lanes of 0.2 s`,
    scene: { ...QUICK, rows: 40_000, refuse: atRandom(share, 1_000) },
    figures: byCalls,
  })),
  {
    what: "50 at once are answered, 6,000 rows of 1 s, 200 lanes",
    scene: {
      ...LANES,
      rows: 6_000,
      refuse: ({ inFlight }) => inFlight >= 50 ? tooMany() : undefined,
    },
    figures: byLeast(120),
  },
  {
    what: "10 at once are answered, 5,000 rows of 1 s, 100 lanes",
    scene: {
      ...{ rows: 5_000, concurrency: 100, latencyMs: 1_000, spread: 0.3 },
      refuse: ({ inFlight }) => inFlight >= 10 ? tooMany() : undefined,
    },
    figures: byLeast(500),
  },
  {
    what: "200, then 100, then 200 at once are answered, a minute each",
    scene: {
      ...{ ...LANES, rows: 60_000, isCareful: false },
      refuse: ({ seconds, inFlight }) =>
        inFlight >= (seconds >= 60 && seconds < 120 ? 100 : 200) ? tooMany() : undefined,
    },
    mostS: 180,
    figures: ({ perSecond }) =>
      [[30, 60, 200], [90, 120, 100], [150, 180, 200]].map(([from, until, ideal]) =>
        percent(between(perSecond, from, until) / (until - from) / ideal)
      ).join(", ") + " of the goodput in the second half of each",
  },
  {
    what: "100 a second are answered, after 0.05 s, 3,000 rows, 200 lanes",
    scene: {
      ...{ rows: 3_000, concurrency: 200, latencyMs: 50, refusalMs: 2 },
      refuse: atRate(100, 10),
    },
    figures: byLeast(30),
  },
  {
    what: "30 a second are answered, in bursts of 5, after 5 s, 9,000 rows, 200 lanes",
    scene: {
      ...{ rows: 9_000, concurrency: 200, latencyMs: 5_000, spread: 0.3 },
      refuse: atRate(30, 5),
    },
    figures: byLeast(305),
  },
  {
    what: "300 in a minute of the clock are answered, 900 rows, 100 lanes",
    scene: {
      ...{ rows: 900, concurrency: 100, latencyMs: 300, spread: 0.3 },
      refuse: byMinute(300),
    },
    figures: byLeast(120),
  },
  {
    what: "503 to everything for ten minutes, 200 lanes of 1 s",
    scene: {
      ...{ ...LANES, rows: 10_000, isCareful: false },
      refuse: ({ seconds }) => seconds >= 5 && seconds < 605 ? down : undefined,
    },
    mostS: 660,
    figures: ({ postsPerSecond, perSecond, lost }) =>
      `${between(postsPerSecond, 5, 605)} posts in ten minutes, ${lost} rows failed, ` +
      `${percent(between(perSecond, 640, 660) / 20 / 200)} of the goodput half a minute later`,
  },
  {
    what: "500 to a fifth of all attempts, 10,000 rows, 200 lanes of 1 s",
    scene: {
      ...{ ...LANES, rows: 10_000, refusalMs: 5 },
      refuse: ({ random }) =>
        random() < 0.2 ? new TeacherError("Broken", { status: 500 }) : undefined,
    },
    figures: (result) => `${times(result.byCalls)} the calls, ${result.lost} rows failed`,
  },
];

const lines = ["| scene | figures |", "| --- | --- |"];
for (const { what, scene, mostS, figures } of SCENES) {
  lines.push(`| ${what} | ${figures(await play(scene, mostS))} |`);
}
await writePage(PAGE, (page) => withGenerated(page, lines.join("\n")));
await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", PAGE.pathname] }).output();
