// A log line's meaning, if it is one JSON object, as our programs and Envoy's access log write; else its text and time.

import { clock, duration, method } from "./format.js";

const TIME = /\d{4}[-/]\d\d[-/]\d\d[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,3})?)\d*(Z|[+-]\d\d:?\d\d)?/;
const LEVELS = { error: "bad", critical: "bad", warning: "warn", warn: "warn" };
const BAD = /\b(ERROR|FATAL|error|critical)\b/;
const ODD = /\b(WARNING|WARN|warning)\b/;
// Said already in a place of its own, or the same in every line.
const KNOWN = new Set([
  ...["time", "level", "event", "logger", "pod", "version", "trace_id", "span_id"],
  ...["method", "code", "response_code", "latency_ms"],
]);

// Asked for when something is strange, and in the way until then.
const USUAL = new Set([
  ...["authority", "downstream_remote_address", "http_method", "protocol", "request_bytes", "request_id"],
  ...["requested_server_name", "response_bytes", "route_name", "upstream_cluster", "upstream_host"],
  ...["upstream_peer", "upstream_request_attempt_count", "user"],
]);

/** {time, tone, trace, parts: [[kind, words]]} of a line. */
export function parseLine(raw) {
  let fields = null;
  if (raw.startsWith("{")) {
    try {
      fields = JSON.parse(raw);
    } catch {
      // A line that was cut, or no JSON after all: shown as it is.
    }
  }
  return fields && typeof fields === "object" ? structured(fields) : plain(raw);
}

function structured(fields) {
  const when = fields.time ?? "";
  const failure = isFailure(fields);
  const tone = LEVELS[String(fields.level).toLowerCase()] ?? (failure ? "warn" : null);
  const parts = [];
  const first = (kind, words) => words && parts.push([kind, words]);
  first("event", fields.event);
  // A proxy's line of a TCP connection has no method and no status.
  first("value", method(fields.method ?? fields.upstream_cluster ?? ""));
  first(failure ? "failure" : "value", String(fields.code || fields.response_code || ""));
  first("value", fields.latency_ms === undefined ? "" : duration(Number(fields.latency_ms)));
  for (const [name, value] of Object.entries(fields)) {
    if (KNOWN.has(name) || value === null || value === "" || value === "-") continue;
    const words = typeof value === "object" ? JSON.stringify(value) : String(value);
    const usual = USUAL.has(name) || words === "via_upstream";
    parts.push([usual ? "more" : "field", `${name}=${name === "peer" ? shortPeer(words) : words}`]);
  }
  return { time: local(when), tone, trace: fields.trace_id || null, parts };
}

/** `mesh/gateway` of `spiffe://cluster.local/ns/mesh/sa/gateway`. */
function shortPeer(id) {
  return id.replace(/^spiffe:\/\/[^/]*\/ns\/([^/]+)\/sa\/([^/]+)$/, "$1/$2");
}

function isFailure(fields) {
  return ![undefined, null, "", "OK"].includes(fields.code) || Number(fields.response_code) >= 400;
}

function plain(raw) {
  const found = raw.match(TIME);
  const begin = raw.slice(0, 120);
  const tone = BAD.test(begin) ? "bad" : ODD.test(begin) ? "warn" : null;
  // A time further on in a line is part of what it says.
  if (!found || found.index > 12) return { time: "", tone, trace: null, parts: [["value", raw]] };
  const rest = raw.slice(0, found.index) + raw.slice(found.index + found[0].length);
  return { time: local(found[0]), tone, trace: null, parts: [["value", rest.replace(/^\[\]\s*/, "").trim()]] };
}

/** The local time of day, to the millisecond; of a time without a zone as it is. */
function local(when) {
  const found = String(when).match(TIME);
  if (!found) return "";
  if (!found[2]) return found[1].replace(",", ".");
  const date = new Date(when.replace(" ", "T"));
  return Number.isNaN(date.valueOf()) ? found[1] : clock(date.valueOf() / 1000, 3);
}
