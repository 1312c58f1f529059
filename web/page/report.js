// @ts-check
/// <reference lib="dom" />
/** Reads the run that a report contains, and makes reports in the browser. @module */

import { byId, setAttribute, setText } from "./dom.js";
import { escaped } from "./figures.js";

/** @import { MonitorState } from "../monitor_state.ts" */

/**
 * Returns the run that a report contains; undefined in a live page.
 * @returns {MonitorState | undefined}
 */
export function embeddedState() {
  const text = document.getElementById("report-state")?.textContent;
  return text ? JSON.parse(text) : undefined;
}

/** The JSON of the run is inserted after the last occurrence. */
const STATE_TAG_END = 'id="report-state">';

/** Characters that could end the element with the JSON, or a line of script. */
const UNSAFE_IN_JSON = /[<>&\u2028\u2029]/g;

/**
 * Makes the report in the browser, even after the process has ended. The server sends an empty
 * report once, with the hashes of its scripts: browsers compute no hashes in insecure contexts,
 * such as pages at a network address.
 * @param {() => MonitorState} getState returns the state of the run as the page knows it
 */
export function startReports(getState) {
  const button = byId("report", HTMLButtonElement);
  const answer = byId("report-answer");
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
  button.addEventListener("click", async () => {
    if (shell === undefined) await load();
    const isMade = shell !== undefined;
    if (shell !== undefined) download(reportOf(shell, getState()), nameOf(getState()));
    setAttribute(answer, "data-tone", isMade ? "good" : "bad");
    setText(
      answer,
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
