/**
 * Teachers that join and leave: 64 of them with answers of 20 s and 16,000 attempts in flight, in
 * simulated time. Half-way, 16 leave and 16 others join.
 *
 * @module
 */

import type { JoiningScene } from "../tests/engine/joining_scene.ts";
import { inChild } from "./child.ts";
import { atLeast, type Bench, type Figure, formatNumber } from "./measure.ts";

const SCENE: JoiningScene = {
  teachers: 64,
  change: 16,
  concurrency: 16_000,
  latencyMs: 20_000,
  halfMs: 60_000,
};

/**
 * Measures how many lanes are busy, and the share of the new teachers a minute after they joined.
 */
export async function teachersThatJoin(_bench: Bench): Promise<Figure[]> {
  const { result, cpuSeconds, rssBytes } = await inChild("joining", SCENE);
  const { busy, shares, failed, repeated, late, answered } = result;
  if (failed + repeated + late > 0) {
    throw new Error(
      `${failed} rows failed, ${repeated} were sent twice, ${late} to teachers that left`,
    );
  }
  const off = Math.max(...shares.map((share) => Math.abs(share - 1)));
  const name = `${SCENE.teachers} teachers, ${SCENE.change} leave and join`;
  const simulatedSeconds = 3 * SCENE.halfMs / 1_000;
  return [{
    name: `${name}: lanes busy`,
    retort: `${formatNumber(100 * busy)} %`,
    baseline: "100 %, all lanes",
    ratios: [busy],
    target: atLeast(100 * busy, 98, " %"),
    note: `${answered.toLocaleString("en")} answers in ${simulatedSeconds} s of simulated time: ` +
      `${formatNumber(cpuSeconds)} s of CPU (${
        formatNumber(100 * cpuSeconds / simulatedSeconds)
      } % ` +
      `of a core, the simulation included), ${
        formatNumber(rssBytes / 1e6)
      } MB; 0 rows failed, and ` +
      "0 were sent twice",
  }, {
    name: `${name}: least share`,
    retort: `${formatNumber(100 * (1 - off))} %`,
    baseline: "100 %, their fair share",
    ratios: [1 - off],
    target: atLeast(100 * (1 - off), 90, " %"),
    note: "in flight at the new teacher that is farthest from its fair share, a minute later",
  }];
}
