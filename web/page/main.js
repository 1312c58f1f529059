// @ts-check
/// <reference lib="dom" />
/**
 * Starts the page: live with a server, or as a report that contains the run. Makes reports.
 *
 * @module
 */

import { AboutView, Announcer, NextStepView, NoticesView, Notifier, Overview } from "./overview.js";
import { ChartGroup } from "./charts.js";
import { ErrorTable, TeacherTable } from "./tables.js";
import { Controls } from "./controls.js";
import {
  inOwnFrame,
  lostText,
  onClick,
  setAttribute,
  setShown,
  setText,
  startTheme,
} from "./dom.js";
import { escaped, formatAge, formatClock, formatDate } from "./figures.js";
import { LatencyView } from "./latency.js";
import { fetchSamples, fetchWhole, Link, socketAddress } from "./link.js";
import { SamplesView } from "./samples.js";
import { ALL_PARTS, RunStore } from "./store.js";

/** @import { MonitorState } from "../monitor_state.ts" */
/** @import { Part } from "./store.js" */

/** Time without a message after which the figures are shown as stale. */
const STALE_MS = 5_000;

/** Minimum duration of an interruption that is shown. */
const LOST_MS = 2_000;

/** Added to a wait before rounding down to seconds, so that the page never shows 0 s. */
const ROUND_UP_MS = 999;

class Page {
  #store = new RunStore();
  #overview = new Overview();
  charts = new ChartGroup();
  #latency = new LatencyView();
  #teachers = new TeacherTable();
  #errors = new ErrorTable((type, status) => this.#samples.showFailures(type, status));
  #notifier = new Notifier();
  #samples = new SamplesView((sample) =>
    this.#link === undefined ? Promise.resolve(sample) : fetchWhole(sample)
  );
  #notices = new NoticesView();
  #nextStep = new NextStepView();
  #about = new AboutView();
  #announcer = new Announcer();
  #controls = new Controls((text) => this.#announcer.say(text));
  /** Parts to draw in the next frame. @type {Set<Part>} */
  #changed = new Set();
  /** The connection to the server; undefined in a report. @type {Link | undefined} */
  #link;
  /** Whether there is a server that does not know the page's token. */
  #isTokenUnknown = false;
  /** When the last message arrived, in Unix milliseconds. */
  #heardMs = Date.now();

  /** @param {MonitorState} state */
  showReport(state) {
    this.#store.replace(state, state.time);
    setAttribute(document.documentElement, "data-mode", "report");
    setText("report-date", `Report of ${formatDate(state.time)}`);
    this.#draw(ALL_PARTS);
  }

  follow() {
    const link = new Link({
      connect: () => {
        if (this.#link !== undefined) this.#checkToken();
        return new WebSocket(socketAddress(document.baseURI));
      },
      onMessage: (message) => {
        this.#heardMs = Date.now();
        this.#scheduleDrawing(this.#store.apply(message, this.#heardMs));
        // This does not wait for the next frame, because browsers draw no frames of a hidden tab.
        guarded(() => this.#notifier.update(this.#store, this.#heardMs));
        const isState = message.type === "hello" || message.type === "end";
        if (isState && this.#store.state.ended) this.#loadWholeTexts();
      },
      isOver: () => this.#store.state.ended,
    });
    this.#link = link;
    const sendVisibility = () => link.setVisible(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", sendVisibility);
    addEventListener("online", () => link.retry());
    onClick("reconnect", () => link.retry());
    startReports(() => this.#store.wholeState(Date.now()));
    link.start();
    sendVisibility();
    setInterval(() => this.#tick(link), 500);
  }

  /** Finds out whether the server knows the token: a rejected WebSocket does not say why. */
  async #checkToken() {
    try {
      this.#isTokenUnknown = (await fetch("./", { method: "HEAD" })).status === 401;
    } catch {
      this.#isTokenUnknown = false;
    }
  }

  /** Loads the full texts of samples for reports: the server of an ended run may stop soon. */
  async #loadWholeTexts() {
    const samples = await fetchSamples();
    if (samples !== undefined) this.#store.keepWholeTexts(samples.added);
  }

  /**
   * Draws in the next frame, with all parts that change until then.
   * @param {readonly Part[]} parts
   */
  #scheduleDrawing(parts) {
    const isWaiting = this.#changed.size > 0;
    for (const part of parts) this.#changed.add(part);
    if (isWaiting || this.#changed.size === 0) return;
    inOwnFrame(() => {
      const changed = [...this.#changed];
      this.#changed.clear();
      // Draws one section per frame: the layout of all sections takes longer than a frame may.
      const [first, ...others] = this.#sections(changed);
      for (const draw of others) inOwnFrame(draw);
      first();
    });
  }

  /** @param {readonly Part[]} parts */
  #draw(parts) {
    for (const draw of this.#sections(parts)) draw();
  }

  /**
   * Returns one drawing function for each section that these parts change.
   * @param {readonly Part[]} parts
   * @returns {(() => void)[]}
   */
  #sections(parts) {
    const store = this.#store;
    const { state } = store;
    const link = this.#link;
    // The time of a report is when it was made.
    const nowMs = link === undefined ? state.time : Date.now();
    /** @type {[Part, () => void][][]} */
    const sections = [
      [
        ["run", () => this.#overview.updateRun(store)],
        ["run", () => this.#about.update(state)],
        ["run", () => this.#nextStep.update(state)],
        ["snapshot", () => this.#nextStep.update(state)],
        ["snapshot", () => this.#overview.update(store, nowMs)],
        ["snapshot", () => link && this.#controls.update(store, link.status.isOpen)],
        ["snapshot", () => this.#announcer.update(store, nowMs)],
      ],
      [["snapshot", () => this.#errors.update(store, nowMs)]],
      [["snapshot", () => this.#teachers.update(store)]],
      [["snapshot", () => this.#latency.update(state)]],
      [
        ["history", () => this.charts.update(store, nowMs)],
        ["notices", () => this.#notices.update(store, nowMs)],
      ],
      [["samples", () => this.#samples.update(store)]],
    ];
    const changed = sections.map((views) => views.filter(([part]) => parts.includes(part)))
      .filter((views) => views.length > 0);
    const drawings = changed.map((views) => () => {
      for (const [, update] of views) guarded(update);
    });
    return [...drawings, () => setAttribute(document.documentElement, "data-loading", false)];
  }

  /** Updates ages and waits, which change without messages. @param {Link} link */
  #tick(link) {
    const nowMs = Date.now();
    const { isOpen, nextMs } = link.status;
    const { ended } = this.#store.state;
    const ageMs = nowMs - this.#heardMs;
    const isStale = !ended && ageMs > (isOpen ? STALE_MS : LOST_MS);
    this.#store.lostSinceMs = isStale ? this.#heardMs : null;
    setAttribute(document.documentElement, "data-stale", isStale);
    setShown("stale", isStale);
    if (isStale) {
      const next = this.#isTokenUnknown
        ? `${lostText({ isTokenUnknown: true })}.`
        : isOpen
        ? "Connected, waiting for data."
        : nextMs === null
        ? "Connecting …"
        : `Trying again in ${formatAge(nextMs - nowMs + ROUND_UP_MS)}.`;
      setText(
        "stale-age",
        `Connection lost. The figures are from ${formatClock(this.#heardMs)}, ${
          formatAge(ageMs)
        } ago.`,
      );
      setText("stale-next", next);
      setShown("reconnect", !isOpen);
    }
    guarded(() => this.#overview.updateState(this.#store, nowMs));
    guarded(() => this.#controls.update(this.#store, isOpen));
  }
}

/**
 * Logs an error of one view, so that the other views are still updated.
 * @param {() => void} update
 */
function guarded(update) {
  try {
    update();
  } catch (error) {
    reportError(error);
  }
}

/** In an empty report, the JSON of the run is inserted after the last occurrence of this text. */
const STATE_TAG_END = 'id="report-state">';

/** Characters that could end the element with the JSON, or a line of script. */
const UNSAFE_IN_JSON = /[<>&\u2028\u2029]/g;

/**
 * Makes the report in the browser, even after the process has ended. The server sends an empty
 * report once, with the hashes of its scripts: browsers compute no hashes in insecure contexts,
 * such as pages at a network address.
 * @param {() => MonitorState} getState returns the state of the run as the page knows it
 */
function startReports(getState) {
  /** The empty report, once it is loaded. @type {string | undefined} */
  let shell;
  const load = async () => {
    try {
      const response = await fetch("report-shell");
      if (response.ok) shell = await response.text();
    } catch {
      // A click on the button requests the empty report again.
    }
  };
  setTimeout(load, 0);
  onClick("report", async () => {
    if (shell === undefined) await load();
    const isMade = shell !== undefined;
    if (shell !== undefined) download(reportOf(shell, getState()), nameOf(getState()));
    setAttribute("report-answer", "data-tone", isMade ? "good" : "bad");
    setText(
      "report-answer",
      isMade ? "Report downloaded" : "Cannot make the report: the run cannot be reached",
    );
  });
}

/** @param {string} shell @param {MonitorState} state */
function reportOf(shell, state) {
  const json = escaped(JSON.stringify(state), UNSAFE_IN_JSON);
  const index = shell.lastIndexOf(STATE_TAG_END) + STATE_TAG_END.length;
  return shell.slice(0, index) + json + shell.slice(index);
}

/** @param {MonitorState} state */
function nameOf({ run, time }) {
  const started = new Date(Date.parse(run?.time ?? "") || time).toISOString().slice(0, 19);
  return `retort-report-${started.replaceAll(":", "-")}.html`;
}

/** @param {string} html @param {string} name */
function download(html, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([html], { type: "text/html" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const page = new Page();
startTheme(() => page.charts.redrawColors(), () => page.charts.drawForPrint());
const embedded = document.getElementById("report-state")?.textContent;
if (embedded) page.showReport(JSON.parse(embedded));
else page.follow();
