// @ts-check
/// <reference lib="dom" />
/** Two answers to one row side by side, compared word by word. @module */

import { make, setShown, setText } from "../../page/dom.js";
import { formatCount, formatCountOf, formatLatency } from "../../../lib/figures.js";
import { formatId } from "../../page/figures.js";
import { costText } from "./columns.js";

/** @import { RowDetail } from "../../../lib/data/mod.ts" */

/**
 * Makes the section that compares two answers to the row. At first, one of them is the answer that
 * is open.
 * @param {RowDetail} row
 * @param {(from: number) => Promise<RowDetail | null>} load reads the row again, with the answers
 * from index `from` on; null if it cannot be read
 */
export function makeSamples(row, load) {
  const openSample = row.samples.find(({ id }) => id === row.id) ?? row.samples[0];
  const pair = make("div", { class: "samples" });
  const note = make("span", { class: "note" });
  const previous = make("button", { type: "button", class: "small" }, "Previous answers");
  const next = make("button", { type: "button", class: "small" }, "Next answers");
  const pager = make("p", { class: "sample-pager" }, previous, next, note);
  /** @param {RowDetail} part */
  const draw = ({ samples, samples_from: from, sample_count: count }) => {
    const last = from + samples.length;
    const hasOpen = samples.some(({ id }) => id === row.id);
    const choices = hasOpen ? samples : [openSample, ...samples];
    pair.replaceChildren(...pairParts(choices, openSample.id));
    setText(note, `Answers ${formatCount(from + 1)} to ${formatCount(last)}`);
    setShown(pager, from > 0 || last < count);
    previous.disabled = from === 0;
    next.disabled = last >= count;
    previous.onclick = () => turn(Math.max(0, from - samples.length));
    next.onclick = () => turn(Math.min(last, Math.max(0, count - samples.length)));
  };
  /** @param {number} from */
  const turn = async (from) => {
    previous.disabled = next.disabled = true;
    const part = await load(from);
    draw(part !== null && part.samples.length > 0 ? part : row);
  };
  draw(row);
  return make(
    "section",
    { class: "samples", "aria-label": "Samples" },
    make("h3", {}, `${formatCount(row.sample_count)} answers to this row`),
    pager,
    pair,
  );
}

/**
 * Makes two menus, and shows the samples that are chosen in them side by side. Returns no elements
 * for a single sample.
 * @param {RowDetail["samples"]} samples
 * @param {string} leftId id of the sample that is on the left at first
 */
function pairParts(samples, leftId) {
  if (samples.length < 2) return [];
  const left = makeChoice("Left", samples),
    right = makeChoice("Right", samples);
  left.selectedIndex = Math.max(0, samples.findIndex(({ id }) => id === leftId));
  right.selectedIndex = left.selectedIndex === 0 ? 1 : 0;
  const views = make("div", { class: "side-by-side" });
  const facts = make("div", { class: "side-by-side" });
  const show = () => {
    const pair = [samples[left.selectedIndex], samples[right.selectedIndex]];
    facts.replaceChildren(
      ...pair.map((sample) => make("p", { class: "note" }, sampleFacts(sample))),
    );
    const sides = differenceOf(pair[0].response, pair[1].response);
    views.replaceChildren(...sides.map((pieces, side) =>
      make(
        "pre",
        {
          class: "raw",
          tabindex: "0",
          role: "group",
          "aria-label": formatId(pair[side].uid),
          dir: "auto",
        },
        ...pieces.map(({ text, isSame }) =>
          isSame ? text : make(side === 0 ? "del" : "ins", {}, text)
        ),
      )
    ));
  };
  left.addEventListener("change", show);
  right.addEventListener("change", show);
  show();
  return [make("div", { class: "side-by-side" }, left, right), facts, views];
}

/** @param {RowDetail["samples"][number]} sample */
function sampleFacts(sample) {
  const { completion_tokens: tokens, latency_ms: latencyMs, final_answer: final } = sample;
  return [
    formatCountOf(tokens, "token"),
    latencyMs > 0 ? formatLatency(latencyMs) : "",
    sample.cost_usd < 0 ? "" : costText(sample),
    final === "" ? "no final answer" : `final answer ${final}`,
  ].filter((text) => text !== "").join(" · ");
}

/** @param {string} side @param {RowDetail["samples"]} samples */
function makeChoice(side, samples) {
  const select = make("select", { "aria-label": `${side} sample` });
  // Two runs may use the same id for a row, so the file is added.
  const hasSeveralFiles = new Set(samples.map(({ file }) => file)).size > 1;
  for (const { uid, file, status } of samples) {
    const names = [formatId(uid), hasSeveralFiles ? file : "", status === "answered" ? "" : status];
    select.append(make("option", {}, names.filter((name) => name !== "").join(" · ")));
  }
  return select;
}

/**
 * Maximum length of texts that are compared, in items of `wordsOf` (geometric mean of both texts).
 * A comparison of this length takes 0.14 s; the time grows with the square of the length.
 */
const MAX_WORDS = 3_000;

/** @typedef {{ text: string, isSame: boolean }} Piece */

/**
 * Splits two texts into pieces that they share and pieces that differ, by a longest common
 * subsequence of words. An equal beginning and end are not compared. If more than `MAX_WORDS` words
 * are left, all of them are treated as different.
 * @param {string} left
 * @param {string} right
 * @returns {[Piece[], Piece[]]}
 */
export function differenceOf(left, right) {
  const a = wordsOf(left), b = wordsOf(right);
  let sameAtStart = 0, sameAtEnd = 0;
  const shorter = Math.min(a.length, b.length);
  while (sameAtStart < shorter && a[sameAtStart] === b[sameAtStart]) sameAtStart++;
  while (sameAtEnd < shorter - sameAtStart && a.at(-1 - sameAtEnd) === b.at(-1 - sameAtEnd)) {
    sameAtEnd++;
  }
  const [middleA, middleB] = [a, b].map((words) =>
    words.slice(sameAtStart, words.length - sameAtEnd)
  );
  const same = middleA.length * middleB.length > MAX_WORDS ** 2
    ? { a: new Set(), b: new Set() }
    : commonIndexes(middleA, middleB);
  const pieces = (
    /** @type {string[]} */ words,
    /** @type {Set<number>} */ indexes,
  ) =>
    mergeAdjacent(words.map((text, index) => ({
      text,
      isSame: index < sameAtStart || index >= words.length - sameAtEnd ||
        indexes.has(index - sameAtStart),
    })));
  return [pieces(a, same.a), pieces(b, same.b)];
}

/** Splits a text into words, spaces and single other characters. @param {string} text */
function wordsOf(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

/**
 * Returns the indexes of the words of a longest common subsequence, in each text.
 * @param {string[]} a
 * @param {string[]} b
 */
function commonIndexes(a, b) {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  /** @type {{ a: Set<number>, b: Set<number> }} */
  const indexes = { a: new Set(), b: new Set() };
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      indexes.a.add(i++);
      indexes.b.add(j++);
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return indexes;
}

/** @param {Piece[]} pieces */
function mergeAdjacent(pieces) {
  /** @type {Piece[]} */
  const result = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    if (last !== undefined && last.isSame === piece.isSame) {
      last.text += piece.text;
    } else result.push({ ...piece });
  }
  return result;
}
