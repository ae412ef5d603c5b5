"use strict";
var __create = Object.create;
var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __getProtoOf = Object.getPrototypeOf;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from === "object" || typeof from === "function") {
    for (let key of __getOwnPropNames(from))
      if (!__hasOwnProp.call(to, key) && key !== except)
        __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  }
  return to;
};
var __toESM = (mod, isNodeMode, target) => (target = mod != null ? __create(__getProtoOf(mod)) : {}, __copyProps(
  // If the importer is in node compatibility mode or this is not an ESM
  // file that has been converted to a CommonJS file using a Babel-
  // compatible transform (i.e. "__esModule" has not been set), then set
  // "default" to the CommonJS "module.exports" for node compatibility.
  isNodeMode || !mod || !mod.__esModule ? __defProp(target, "default", { value: mod, enumerable: true }) : target,
  mod
));

// ../proto/gen/auditing/v1/event.ts
var Field = /* @__PURE__ */ ((Field2) => {
  Field2[Field2["UNSPECIFIED"] = 0] = "UNSPECIFIED";
  Field2[Field2["SOURCE"] = 1] = "SOURCE";
  Field2[Field2["LEVEL"] = 2] = "LEVEL";
  Field2[Field2["STAGE"] = 3] = "STAGE";
  Field2[Field2["VERB"] = 4] = "VERB";
  Field2[Field2["USER"] = 5] = "USER";
  Field2[Field2["GROUPS"] = 6] = "GROUPS";
  Field2[Field2["IMPERSONATED_USER"] = 7] = "IMPERSONATED_USER";
  Field2[Field2["SOURCE_IPS"] = 8] = "SOURCE_IPS";
  Field2[Field2["USER_AGENT"] = 9] = "USER_AGENT";
  Field2[Field2["NAMESPACE"] = 10] = "NAMESPACE";
  Field2[Field2["RESOURCE"] = 11] = "RESOURCE";
  Field2[Field2["SUBRESOURCE"] = 12] = "SUBRESOURCE";
  Field2[Field2["NAME"] = 13] = "NAME";
  Field2[Field2["API_GROUP"] = 14] = "API_GROUP";
  Field2[Field2["API_VERSION"] = 15] = "API_VERSION";
  Field2[Field2["CODE"] = 16] = "CODE";
  Field2[Field2["STATUS"] = 17] = "STATUS";
  Field2[Field2["REASON"] = 18] = "REASON";
  Field2[Field2["REQUEST_URI"] = 19] = "REQUEST_URI";
  Field2[Field2["WORKSPACE"] = 20] = "WORKSPACE";
  Field2[Field2["CLUSTER"] = 21] = "CLUSTER";
  Field2[Field2["DEVOPS"] = 22] = "DEVOPS";
  Field2[Field2["AUDIT_ID"] = 23] = "AUDIT_ID";
  Field2[Field2["RULE"] = 24] = "RULE";
  Field2[Field2["UNRECOGNIZED"] = -1] = "UNRECOGNIZED";
  return Field2;
})(Field || {});

// body-error.ts
var BodyError = class extends Error {
  constructor(message, at) {
    super(message);
    this.at = at;
  }
  at;
  name = "BodyError";
};

// event-fields.ts
var EVENT_FIELDS = [
  "Level",
  "AuditID",
  "Stage",
  "RequestURI",
  "Verb",
  "User",
  "User.username",
  "User.uid",
  "User.groups",
  "User.extra",
  "ImpersonatedUser",
  "ImpersonatedUser.username",
  "ImpersonatedUser.uid",
  "ImpersonatedUser.groups",
  "ImpersonatedUser.extra",
  "SourceIPs",
  "UserAgent",
  "ObjectRef",
  "ObjectRef.Resource",
  "ObjectRef.Namespace",
  "ObjectRef.Name",
  "ObjectRef.UID",
  "ObjectRef.APIGroup",
  "ObjectRef.APIVersion",
  "ObjectRef.ResourceVersion",
  "ObjectRef.Subresource",
  "ResponseStatus",
  "ResponseStatus.code",
  "ResponseStatus.status",
  "ResponseStatus.reason",
  "ResponseStatus.message",
  "RequestObject",
  "ResponseObject",
  "RequestReceivedTimestamp",
  "StageTimestamp",
  "Annotations",
  "Workspace",
  "Cluster",
  "Devops",
  "Message",
  "HostName",
  "HostIP"
];

// json-bytes.ts
var BYTE = {
  quote: 34,
  comma: 44,
  colon: 58,
  openBracket: 91,
  backslash: 92,
  closeBracket: 93,
  openBrace: 123,
  closeBrace: 125
};
var MAX_DEPTH = 1e4;
var OTHER = 0;
var SPACE = 1;
var QUOTE = 2;
var OPEN = 3;
var CLOSE = 4;
var COMMA = 5;
var CLASS = new Uint8Array(256);
for (const byte of [32, 9, 10, 13]) CLASS[byte] = SPACE;
CLASS[BYTE.quote] = QUOTE;
CLASS[BYTE.openBrace] = CLASS[BYTE.openBracket] = OPEN;
CLASS[BYTE.closeBrace] = CLASS[BYTE.closeBracket] = CLOSE;
CLASS[BYTE.comma] = COMMA;
function skipSpace(bytes, position) {
  let at = position;
  while (at < bytes.length && CLASS[bytes[at] ?? 0] === SPACE) at++;
  return at;
}
function skipString(bytes, position) {
  const { length } = bytes;
  for (let at = position + 1; at < length; at++) {
    const byte = bytes[at];
    if (byte === BYTE.quote) return at + 1;
    if (byte === BYTE.backslash) at++;
  }
  return -1;
}
function skipLoose(bytes, position) {
  const first = CLASS[bytes[position] ?? 0];
  if (first === QUOTE) return skipString(bytes, position);
  return first === OPEN ? skipBrackets(bytes, position) : skipWord(bytes, position);
}
function skipBrackets(bytes, position) {
  const { length } = bytes;
  let depth = 0;
  let at = position;
  while (at < length) {
    const kind = CLASS[bytes[at] ?? 0] ?? OTHER;
    at++;
    if (kind < QUOTE) continue;
    if (kind === QUOTE) {
      at = skipString(bytes, at - 1);
      if (at < 0) return -1;
    } else if (kind === OPEN) {
      depth++;
    } else if (kind === CLOSE && --depth === 0) {
      return at;
    }
  }
  return -1;
}
function skipWord(bytes, position) {
  let at = position;
  while (at < bytes.length && CLASS[bytes[at] ?? 0] === OTHER) at++;
  return at;
}
function keyText(bytes, start, end) {
  const text = bytes.toString("utf8", start + 1, end - 1);
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return void 0;
  }
}
function valueAfterKey(bytes, keyEnd) {
  const colon = skipSpace(bytes, keyEnd);
  return bytes[colon] === BYTE.colon ? skipSpace(bytes, colon + 1) : -1;
}
function looseMembers(bytes, position) {
  const members = [];
  let at = skipSpace(bytes, position + 1);
  while (bytes[at] === BYTE.quote) {
    const keyEnd = skipString(bytes, at);
    const valueStart = keyEnd < 0 ? -1 : valueAfterKey(bytes, keyEnd);
    const valueEnd = valueStart < 0 ? -1 : skipLoose(bytes, valueStart);
    if (valueEnd < 0) break;
    members.push({ keyStart: at, keyEnd, valueStart, valueEnd });
    const next = skipSpace(bytes, valueEnd);
    if (bytes[next] !== BYTE.comma) break;
    at = skipSpace(bytes, next + 1);
  }
  return members;
}

// body-reader.ts
var EVENT_KEYS = new Set(
  EVENT_FIELDS.filter((field) => !field.includes(".")).map((field) => field.toLowerCase())
);
var LIST_KEY = "ITEMS";
var BOM = Buffer.from([239, 187, 191]);
var NULL = Buffer.from("null");
var MARKER = /^\{"(level|Level|Devops|Workspace|AuditID|auditID)":"/;
var MARKER_MAX_BYTES = 16;
var BodyReader = class {
  constructor(body, cutBy) {
    this.body = body;
    this.cutBy = cutBy;
    this.begin = skipSpace(body, body.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0);
  }
  body;
  cutBy;
  /** Valid once the first item is yielded. */
  listSource = 0 /* UNSPECIFIED */;
  documents = 0;
  arrays = 0;
  begin;
  *items() {
    const { body } = this;
    let at = this.begin;
    if (at === body.length) {
      throw new BodyError(
        'the body is empty; send an EventList, {"Items":[\u2026]}, an array or events',
        "$"
      );
    }
    while (at < body.length) {
      if (body[at] === BYTE.openBrace) at = yield* this.object(at);
      else if (body[at] === BYTE.openBracket) at = yield* this.array(at, "$");
      else at = yield* this.scalar(at);
      this.documents++;
      at = skipSpace(body, at);
    }
  }
  *scalar(start) {
    const end = this.valueEnd(start, "$");
    yield this.item({ start, end }, "$");
    return end;
  }
  /** A list, or one bare event. */
  *object(start) {
    const { body } = this;
    let at = skipSpace(body, start + 1);
    let isList = false;
    let isEvent = false;
    let more = body[at] !== BYTE.closeBrace;
    while (more) {
      const { key, value } = this.member(at);
      if (key.length === LIST_KEY.length && key.toUpperCase() === LIST_KEY) {
        isList = true;
        at = yield* this.list(key, value);
      } else {
        isEvent ||= EVENT_KEYS.has(key.toLowerCase());
        at = this.valueEnd(value, `$.${key}`);
      }
      at = skipSpace(body, at);
      more = body[at] === BYTE.comma;
      if (more) at = skipSpace(body, at + 1);
      else if (body[at] !== BYTE.closeBrace) throw this.unexpected(at, '"," or "}"');
    }
    at++;
    if (!isList) yield this.bareEvent(start, at, isEvent);
    return at;
  }
  bareEvent(start, end, isEvent) {
    const item = this.item({ start, end }, "$");
    if (isEvent) return item;
    return {
      ...item,
      reason: 'expected "items", "Items" or a field of an event such as "auditID"; the object has none of them'
    };
  }
  /** The value of a list key. */
  *list(key, value) {
    const { body } = this;
    const lower = key.charAt(0) === key.charAt(0).toLowerCase();
    if (this.listSource === 0 /* UNSPECIFIED */) {
      this.listSource = lower ? 1 /* KUBERNETES */ : 2 /* KUBE_AI_HUB */;
    }
    if (body[value] === BYTE.openBracket) return yield* this.array(value, `$.${key}`);
    const end = value + NULL.length;
    if (body.subarray(value, end).equals(NULL)) return end;
    throw new BodyError("expected an array of events or null", this.path(`$.${key}`));
  }
  *array(open, path) {
    const { body } = this;
    let at = skipSpace(body, open + 1);
    if (body[at] === BYTE.closeBracket) return at + 1;
    const marker = this.cutBy === "marker" && this.arrays++ === 0 ? markerAt(body, at) : void 0;
    for (let index = 0; ; index++) {
      const next = marker ? body.indexOf(marker, at) : -1;
      const end = next < 0 ? this.valueEnd(at, path) : next;
      yield this.item({ start: at, end }, path, index);
      at = skipSpace(body, end);
      if (body[at] === BYTE.closeBracket) return at + 1;
      if (body[at] !== BYTE.comma) throw this.unexpected(at, '"," or "]"');
      at = skipSpace(body, at + 1);
    }
  }
  item({ start, end }, path, index) {
    const { body, documents } = this;
    if (this.listSource === 0 /* UNSPECIFIED */) this.listSource = sourceByFirstKey(body, start);
    const place = index === void 0 ? path : `${path}[${index}]`;
    const at = () => this.path(place, documents, start);
    if (body[start] === BYTE.openBrace) return { start, end, at };
    return { start, end, at, reason: "expected an event, which is a JSON object" };
  }
  /** Key and position of the value of the member at `at`. */
  member(at) {
    const { body } = this;
    if (body[at] !== BYTE.quote) throw this.unexpected(at, "a key in quotes");
    const keyEnd = skipString(body, at);
    if (keyEnd < 0) throw this.unexpected(body.length, "the end of a key");
    const value = valueAfterKey(body, keyEnd);
    if (value < 0) throw this.unexpected(skipSpace(body, keyEnd), '":"');
    return { key: keyText(body, at, keyEnd) ?? "", value };
  }
  valueEnd(at, path) {
    const end = skipLoose(this.body, at);
    if (end === at) throw this.unexpected(at, `a value (${path})`);
    if (end < 0) {
      throw new BodyError(
        `the body ends after ${this.body.length} bytes inside a value; send it whole`,
        this.path(path, this.documents, at)
      );
    }
    return end;
  }
  /** `path`, with the position of the value if the body holds several. */
  path(path, documents = this.documents, position = this.begin) {
    return documents === 0 ? path : `byte ${position}: ${path}`;
  }
  unexpected(at, expected) {
    const found = this.body.subarray(at, at + 1).toString("latin1");
    const what = at >= this.body.length ? "the body ends" : `found ${JSON.stringify(found)}`;
    return new BodyError(`not JSON: expected ${expected}, ${what}`, `byte ${at}`);
  }
};
function markerAt(body, first) {
  const begin = MARKER.exec(body.toString("latin1", first, first + MARKER_MAX_BYTES));
  return begin ? Buffer.from(`,${begin[0]}`, "latin1") : void 0;
}
function sourceByFirstKey(body, start) {
  const quote = body[start] === BYTE.openBrace ? skipSpace(body, start + 1) : start;
  const letter = body.toString("latin1", quote + 1, quote + 2);
  return letter >= "A" && letter <= "Z" ? 2 /* KUBE_AI_HUB */ : 1 /* KUBERNETES */;
}

// field-keys.ts
var TEXT_FIELDS = /* @__PURE__ */ new Set([
  "Level",
  "AuditID",
  "Stage",
  "RequestURI",
  "Verb",
  "UserAgent",
  "ObjectRef.Resource",
  "ObjectRef.Namespace",
  "ObjectRef.Name",
  "ObjectRef.UID",
  "ObjectRef.APIGroup",
  "ObjectRef.APIVersion",
  "ObjectRef.ResourceVersion",
  "ObjectRef.Subresource",
  "Workspace",
  "Cluster",
  "Devops",
  "Message",
  "HostName",
  "HostIP"
]);
var ABBREVIATIONS = /^(UID|API|IP|URI|ID)/;
var FIELD_KEYS = Object.fromEntries(
  EVENT_FIELDS.map((field) => {
    const [top = "", nested] = field.split(".");
    return [
      field,
      {
        top: keyNames(top),
        nested: nested === void 0 ? void 0 : keyNames(nested),
        isText: TEXT_FIELDS.has(field)
      }
    ];
  })
);
function fieldKeys(field) {
  return FIELD_KEYS[field];
}
function keyNames(go) {
  const abbreviation = ABBREVIATIONS.exec(go)?.[0] ?? go.charAt(0);
  const lower = abbreviation.toLowerCase() + go.slice(abbreviation.length);
  return { lower, go, folded: go.toLowerCase() };
}
function findKey(object, names) {
  const lower = object[names.lower];
  if (lower !== void 0 && lower !== null) return names.lower;
  const go = object[names.go];
  if (go !== void 0 && go !== null) return names.go;
  const { folded } = names;
  let empty;
  for (const key in object) {
    if (key.length !== folded.length || key.toLowerCase() !== folded) continue;
    if (object[key] !== null) return key;
    empty ??= key;
  }
  return empty;
}
function isJsonObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// strip.ts
var REQUEST_KEY = "requestobject";
var RESPONSE_KEY = "responseobject";
function stripBodies(bytes, strip) {
  const keys = keysOf(strip);
  if (keys.length === 0) return bytes;
  const members = looseMembers(bytes, skipSpace(bytes, 0));
  const parts = [bytes.subarray(0, members[0]?.keyStart ?? 0)];
  let previousEnd = -1;
  for (const member of members) {
    if (!keys.includes(lowerKey(bytes, member))) {
      const start = parts.length > 1 ? previousEnd : member.keyStart;
      parts.push(bytes.subarray(start, member.valueEnd));
    }
    previousEnd = member.valueEnd;
  }
  if (parts.length === members.length + 1) return bytes;
  parts.push(bytes.subarray(previousEnd));
  return Buffer.concat(parts);
}
function keysOf(strip) {
  switch (strip) {
    case 1 /* RESPONSE */:
      return [RESPONSE_KEY];
    case 2 /* BODIES */:
      return [REQUEST_KEY, RESPONSE_KEY];
    case 0 /* UNSPECIFIED */:
    case -1 /* UNRECOGNIZED */:
      return [];
  }
}
function lowerKey(bytes, member) {
  return keyText(bytes, member.keyStart, member.keyEnd)?.toLowerCase() ?? "";
}

// timestamp.ts
var MICROS_PER_SECOND = 1e6;
var RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
function microsFromText(text) {
  if (typeof text !== "string") return 0;
  const found = RFC_3339.exec(text);
  if (!found) return 0;
  const [, year, month, day, hour, minute, second, fraction = "", sign, offsetHour, offsetMinute] = found.map((part) => part);
  const millis = utcMillis([year, month, day, hour, minute, second].map(Number));
  if (Number.isNaN(millis) || Number(year) <= 1) return 0;
  const offsetSeconds = (Number(offsetHour ?? 0) * 60 + Number(offsetMinute ?? 0)) * 60;
  const seconds = millis / 1e3 - (sign === "-" ? -offsetSeconds : offsetSeconds);
  return seconds * MICROS_PER_SECOND + Number(fraction.slice(0, 6).padEnd(6, "0"));
}
function utcMillis(parts) {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  if (hour > 23 || minute > 59 || second > 60) return Number.NaN;
  const date = /* @__PURE__ */ new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return Number.NaN;
  return date.setUTCHours(hour, minute, second);
}

// valid-json.ts
var PLAIN = 0;
var ENDS = 1;
var ESCAPES = 2;
var FORBIDDEN = 3;
var IN_STRING = new Uint8Array(256).fill(FORBIDDEN, 0, 32);
IN_STRING[BYTE.quote] = ENDS;
IN_STRING[BYTE.backslash] = ESCAPES;
var ESCAPED = new Set(Buffer.from('"\\/bfnrt'));
var U = 117;
var HEX = new Set(Buffer.from("0123456789abcdefABCDEF"));
var IN_NUMBER = new Set(Buffer.from("0123456789+-.eE"));
var NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
var WORDS = [Buffer.from("true"), Buffer.from("false"), Buffer.from("null")];
function isValidJson(bytes) {
  const isObject = new Uint8Array(64);
  const state = { bytes, isObject, depth: 0 };
  let at = skipSpace(bytes, 0);
  for (; ; ) {
    at = enterValue(state, at);
    at = at < 0 ? -1 : leaveValue(state, at);
    if (at < 0) return false;
    if (state.depth === 0) return skipSpace(bytes, at) === bytes.length;
  }
}
function enterValue(state, position) {
  const { bytes } = state;
  let at = position;
  for (; ; ) {
    const first = bytes[at];
    if (first === BYTE.quote) return passString(bytes, at);
    const object = first === BYTE.openBrace;
    if (!object && first !== BYTE.openBracket) return passWord(bytes, at);
    at = skipSpace(bytes, at + 1);
    if (bytes[at] === (object ? BYTE.closeBrace : BYTE.closeBracket)) return at + 1;
    if (!push(state, object)) return -1;
    if (object) at = passKey(bytes, at);
    if (at < 0) return -1;
  }
}
function leaveValue(state, position) {
  const { bytes } = state;
  let at = position;
  while (state.depth > 0) {
    at = skipSpace(bytes, at);
    const object = state.isObject[state.depth - 1] === 1;
    if (bytes[at] === BYTE.comma) {
      const next = skipSpace(bytes, at + 1);
      return object ? passKey(bytes, next) : next;
    }
    if (bytes[at] !== (object ? BYTE.closeBrace : BYTE.closeBracket)) return -1;
    state.depth--;
    at++;
  }
  return at;
}
function push(state, object) {
  if (state.depth === MAX_DEPTH) return false;
  if (state.depth === state.isObject.length) {
    const larger = new Uint8Array(Math.min(MAX_DEPTH, state.isObject.length * 4));
    larger.set(state.isObject);
    state.isObject = larger;
  }
  state.isObject[state.depth++] = object ? 1 : 0;
  return true;
}
function passKey(bytes, position) {
  if (bytes[position] !== BYTE.quote) return -1;
  const end = passString(bytes, position);
  if (end < 0) return -1;
  const colon = skipSpace(bytes, end);
  return bytes[colon] === BYTE.colon ? skipSpace(bytes, colon + 1) : -1;
}
function passString(bytes, position) {
  const { length } = bytes;
  for (let at = position + 1; at < length; at++) {
    const does = IN_STRING[bytes[at] ?? 0];
    if (does === PLAIN) continue;
    if (does === ENDS) return at + 1;
    if (does === FORBIDDEN) return -1;
    at++;
    if (bytes[at] === U) {
      for (let digit = 1; digit <= 4; digit++) if (!HEX.has(bytes[at + digit] ?? 0)) return -1;
      at += 4;
    } else if (!ESCAPED.has(bytes[at] ?? 0)) {
      return -1;
    }
  }
  return -1;
}
function passWord(bytes, position) {
  for (const word of WORDS) {
    const end2 = position + word.length;
    if (bytes[position] === word[0]) {
      return bytes.subarray(position, end2).equals(word) ? end2 : -1;
    }
  }
  let end = position;
  while (IN_NUMBER.has(bytes[end] ?? 0)) end++;
  return NUMBER.test(bytes.toString("latin1", position, end)) ? end : -1;
}

// decoded-event.ts
var LAZY_ABOVE_BYTES = 4096;
var BODY_KEYS = /* @__PURE__ */ new Set(["requestobject", "responseobject"]);
var NULL2 = Buffer.from("null");
var PLACEHOLDER = Buffer.from("0");
var DecodedEvent = class {
  /** Use decodeEvent. */
  constructor(bytes, source, parts) {
    this.bytes = bytes;
    this.source = source;
    this.parts = parts;
  }
  bytes;
  source;
  parts;
  filledWorkspace = "";
  /** RequestReceivedTimestamp in microseconds since 1970 (UTC); 0 where absent or unreadable. */
  get requestReceivedUs() {
    return microsFromText(this.get("RequestReceivedTimestamp"));
  }
  /** StageTimestamp, likewise. */
  get stageUs() {
    return microsFromText(this.get("StageTimestamp"));
  }
  get(field) {
    const keys = fieldKeys(field);
    const top = this.top(keys.top);
    if (!keys.nested) {
      if (field === "Verb" && typeof top === "string") return top.toLowerCase();
      if (field === "Workspace" && (top ?? "") === "") return this.filledWorkspace;
      return top ?? (keys.isText ? "" : void 0);
    }
    if (!isJsonObject(top)) return void 0;
    const key = findKey(top, keys.nested);
    const value = key === void 0 ? void 0 : top[key];
    return value ?? (keys.isText ? "" : void 0);
  }
  other(key) {
    const { head } = this.parts;
    return Object.hasOwn(head, key) ? this.valueOf(key) : void 0;
  }
  /** True if the event has this body and it is not null. It is not built for that. */
  hasObject(which) {
    const { head } = this.parts;
    const key = findKey(head, fieldKeys(which).top);
    return key !== void 0 && head[key] !== null;
  }
  /** Gives the event a workspace, for `get`, in case it has none of its own. */
  fillWorkspace(workspace) {
    this.filledWorkspace = workspace;
  }
  /** The event as it is after a strip, in bytes and fields; itself where there is nothing to remove. */
  stripped(strip) {
    const removesResponse = strip === 1 /* RESPONSE */ || strip === 2 /* BODIES */;
    const removesRequest = strip === 2 /* BODIES */;
    const nothing = !(removesResponse && this.hasObject("ResponseObject")) && !(removesRequest && this.hasObject("RequestObject"));
    if (nothing) return this;
    const event = decodeEvent(stripBodies(this.bytes, strip), this.source);
    event.filledWorkspace = this.filledWorkspace;
    return event;
  }
  top(names) {
    const key = findKey(this.parts.head, names);
    return key === void 0 ? void 0 : this.valueOf(key);
  }
  valueOf(key) {
    const { built, head, lazy } = this.parts;
    const bytes = lazy.size === 0 ? void 0 : lazy.get(key);
    if (!bytes) return head[key];
    let value = built.get(key);
    if (value === void 0) {
      value = JSON.parse(bytes.toString());
      built.set(key, value);
    }
    return value;
  }
};
var NO_BYTES = /* @__PURE__ */ new Map();
var NOTHING_BUILT = /* @__PURE__ */ new Map();
function decodeEvent(bytes, listSource) {
  const parts = bytes.length > LAZY_ABOVE_BYTES ? parseLazily(bytes) : parseWhole(bytes);
  return new DecodedEvent(bytes, sourceOf(parts.head, listSource), parts);
}
function sourceOf(head, listSource) {
  if (head.auditID !== void 0) return 1 /* KUBERNETES */;
  return head.AuditID === void 0 ? listSource : 2 /* KUBE_AI_HUB */;
}
function parseWhole(bytes) {
  return { head: parseObject(bytes), lazy: NO_BYTES, built: NOTHING_BUILT };
}
function parseObject(bytes) {
  const value = JSON.parse(bytes.toString());
  if (!isJsonObject(value)) throw new SyntaxError("expected an event, which is a JSON object");
  return value;
}
function parseLazily(bytes) {
  const lazy = /* @__PURE__ */ new Map();
  const rest = [];
  let end = 0;
  for (const { keyStart, keyEnd, valueStart, valueEnd } of looseMembers(
    bytes,
    skipSpace(bytes, 0)
  )) {
    const key = keyText(bytes, keyStart, keyEnd);
    if (key === void 0 || !BODY_KEYS.has(key.toLowerCase())) continue;
    const value = bytes.subarray(valueStart, valueEnd);
    lazy.delete(key);
    if (value.equals(NULL2)) continue;
    if (!isValidJson(value)) throw new SyntaxError(`${key} is not valid JSON`);
    lazy.set(key, value);
    rest.push(bytes.subarray(end, valueStart), PLACEHOLDER);
    end = valueEnd;
  }
  if (lazy.size === 0) return parseWhole(bytes);
  rest.push(bytes.subarray(end));
  return { head: parseObject(Buffer.concat(rest)), lazy, built: /* @__PURE__ */ new Map() };
}

// split-body.ts
var MAX_ITEMS = 5e5;
function splitBody(body) {
  const reader = new BodyReader(body, "scanner");
  const slices = [];
  const badItems = [];
  for (const item of reader.items()) {
    const bytes = body.subarray(item.start, item.end);
    if (item.reason === void 0) slices.push(bytes);
    else badItems.push(badItem(item, bytes, item.reason));
    checkCount(slices.length + badItems.length);
  }
  checkAnyGood(slices.length, badItems);
  return { slices, badItems, listSource: reader.listSource };
}
function checkCount(count) {
  if (count > MAX_ITEMS) {
    throw new BodyError(`more than ${MAX_ITEMS} items; send fewer in one body`, "$");
  }
}
function checkAnyGood(goodCount, badItems) {
  const [first] = badItems;
  if (goodCount > 0 || !first) return;
  const all = badItems.length === 1 ? "" : `none of ${badItems.length} items is an event; the first: `;
  throw new BodyError(`${all}${first.reason}`, first.at);
}
function badItem(item, bytes, reason) {
  return { at: item.at(), bytes, reason };
}

// pace.ts
var YIELD_EVERY_MS = 5;
function startPace(options) {
  const { yieldEveryMs = YIELD_EVERY_MS, signal } = options;
  signal?.throwIfAborted();
  let since = performance.now();
  return {
    isDue: () => performance.now() - since >= yieldEveryMs,
    giveWay: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      since = performance.now();
    }
  };
}

// decode-body.ts
async function decodeBody(body, options = {}) {
  const pace = startPace(options);
  try {
    const decoded = await decodeCutBy("marker", body, pace);
    if (decoded.badItems.length === 0) return decoded;
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
  }
  return decodeCutBy("scanner", body, pace);
}
async function decodeCutBy(cutBy, body, pace) {
  const reader = new BodyReader(body, cutBy);
  const events = [];
  const badItems = [];
  for (const item of reader.items()) {
    const bytes = body.subarray(item.start, item.end);
    const decoded = item.reason ?? tryDecode(bytes, reader.listSource);
    if (typeof decoded !== "string") events.push(decoded);
    else if (cutBy === "scanner") badItems.push(badItem(item, bytes, decoded));
    else throw new BodyError(decoded, item.at());
    checkCount(events.length + badItems.length);
    if (pace.isDue()) await pace.giveWay();
  }
  checkAnyGood(events.length, badItems);
  return { events, badItems, listSource: reader.listSource };
}
function tryDecode(bytes, listSource) {
  try {
    return decodeEvent(bytes, listSource);
  } catch (error) {
    if (error instanceof SyntaxError) return `not valid JSON: ${error.message}`;
    throw error;
  }
}

// column-fields.ts
var EVENT_FIELD_OF = /* @__PURE__ */ new Map([
  [2 /* LEVEL */, "Level"],
  [3 /* STAGE */, "Stage"],
  [4 /* VERB */, "Verb"],
  [5 /* USER */, "User.username"],
  [6 /* GROUPS */, "User.groups"],
  [7 /* IMPERSONATED_USER */, "ImpersonatedUser.username"],
  [8 /* SOURCE_IPS */, "SourceIPs"],
  [9 /* USER_AGENT */, "UserAgent"],
  [10 /* NAMESPACE */, "ObjectRef.Namespace"],
  [11 /* RESOURCE */, "ObjectRef.Resource"],
  [12 /* SUBRESOURCE */, "ObjectRef.Subresource"],
  [13 /* NAME */, "ObjectRef.Name"],
  [14 /* API_GROUP */, "ObjectRef.APIGroup"],
  [15 /* API_VERSION */, "ObjectRef.APIVersion"],
  [16 /* CODE */, "ResponseStatus.code"],
  [17 /* STATUS */, "ResponseStatus.status"],
  [18 /* REASON */, "ResponseStatus.reason"],
  [19 /* REQUEST_URI */, "RequestURI"],
  [20 /* WORKSPACE */, "Workspace"],
  [21 /* CLUSTER */, "Cluster"],
  [22 /* DEVOPS */, "Devops"],
  [23 /* AUDIT_ID */, "AuditID"]
]);
var COLUMN_FIELD_OF = new Map(
  [...EVENT_FIELD_OF].map(([field, eventField]) => [eventField, field])
);
var ARCHIVE_FIELDS = [
  1 /* SOURCE */,
  2 /* LEVEL */,
  3 /* STAGE */,
  4 /* VERB */,
  5 /* USER */,
  6 /* GROUPS */,
  7 /* IMPERSONATED_USER */,
  8 /* SOURCE_IPS */,
  9 /* USER_AGENT */,
  10 /* NAMESPACE */,
  11 /* RESOURCE */,
  12 /* SUBRESOURCE */,
  13 /* NAME */,
  14 /* API_GROUP */,
  16 /* CODE */,
  17 /* STATUS */,
  18 /* REASON */,
  20 /* WORKSPACE */,
  21 /* CLUSTER */,
  23 /* AUDIT_ID */
];
function eventFieldOf(field) {
  return EVENT_FIELD_OF.get(field);
}
function columnKind(field) {
  if (field === 6 /* GROUPS */ || field === 8 /* SOURCE_IPS */) return "list";
  return field === 16 /* CODE */ ? "number" : "text";
}

// json-text.ts
function jsonText(value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return "";
    throw error;
  }
}

// columns.ts
function buildColumns(events, fields) {
  return fields.map((field) => buildColumn(field, events.map(cellOf(field))));
}
function cellOf(field) {
  if (field === 1 /* SOURCE */) return (event) => sourceText(event.source);
  const eventField = eventFieldOf(field);
  if (eventField === void 0) {
    throw new RangeError(`expected a field of the event, not ${Field[field]}`);
  }
  const isList = columnKind(field) === "list";
  return (event) => {
    const value = event.get(eventField);
    if (value === void 0 || value === null) return void 0;
    return typeof value === "string" && !isList ? value : jsonText(value);
  };
}
function buildColumn(field, cells) {
  const places = /* @__PURE__ */ new Map();
  const rows = cells.map((cell) => {
    if (cell === void 0) return 0;
    let place = places.get(cell);
    if (place === void 0) {
      place = places.size + 1;
      places.set(cell, place);
    }
    return place;
  });
  return { field, values: [...places.keys()], rows };
}
function sourceText(source) {
  switch (source) {
    case 1 /* KUBERNETES */:
      return "kubernetes";
    case 2 /* KUBE_AI_HUB */:
      return "kube-ai-hub";
    case 0 /* UNSPECIFIED */:
    case -1 /* UNRECOGNIZED */:
      return void 0;
  }
}

// event-key.ts
var crypto = __toESM(require("node:crypto"), 1);
var KEY_BYTES = 32;
var { hash } = crypto;
function eventKey(bytes) {
  return hash ? hash("sha256", bytes, "buffer") : crypto.createHash("sha256").update(bytes).digest();
}
function eventKeys(slices) {
  const keys = Buffer.allocUnsafe(slices.length * KEY_BYTES);
  slices.forEach((slice, index) => eventKey(slice).copy(keys, index * KEY_BYTES));
  return keys;
}

// block.ts
var import_node_util = require("node:util");
var import_node_zlib = require("node:zlib");

// zstd.ts
var loading;
function loadZstd() {
  loading ??= import("@mongodb-js/zstd/bindings.js").catch(() => void 0);
  return loading;
}
var FRAME_MAGIC = 4247762216;
var BLOCK_MAX_BYTES = 128 * 1024;
var MAGIC_BYTES = 4;
var BLOCK_HEADER_BYTES = 3;
var CHECKSUM_BYTES = 4;
var RAW = 0;
var RLE = 1;
var COMPRESSED = 2;
function zstdContentBound(frame) {
  const first = firstBlock(frame);
  if (first === void 0) return void 0;
  let bound = 0;
  let at = first.at;
  for (; ; ) {
    if (at + BLOCK_HEADER_BYTES > frame.length) return void 0;
    const header = frame.readUIntLE(at, BLOCK_HEADER_BYTES);
    const type = header >> 1 & 3;
    const size = header >> 3;
    if (type > COMPRESSED || size > BLOCK_MAX_BYTES) return void 0;
    at += BLOCK_HEADER_BYTES + (type === RLE ? 1 : size);
    bound += type === RAW || type === RLE ? size : BLOCK_MAX_BYTES;
    if ((header & 1) === 1) break;
  }
  return at + first.checksumBytes === frame.length ? bound : void 0;
}
function firstBlock(frame) {
  if (frame.length <= MAGIC_BYTES || frame.readUInt32LE(0) !== FRAME_MAGIC) return void 0;
  const descriptor = frame.readUInt8(MAGIC_BYTES);
  const singleSegment = descriptor >> 5 & 1;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSizeBytes = [singleSegment, 2, 4, 8][descriptor >> 6] ?? 0;
  const at = MAGIC_BYTES + 1 + (1 - singleSegment) + dictionaryBytes + contentSizeBytes;
  return { at, checksumBytes: descriptor >> 2 & 1 ? CHECKSUM_BYTES : 0 };
}

// block.ts
var BlockError = class extends Error {
  name = "BlockError";
};
var MAX_BLOCK_BYTES = 256 * 1024 * 1024;
var PLAIN_BELOW_BYTES = 256;
var ZSTD_LEVEL = 1;
var DEFLATE_LEVEL = 1;
var ZSTD_BOUND_FACTOR = 32;
var ZSTD_BOUND_SPARE_BYTES = 1024 * 1024;
var deflate = (0, import_node_util.promisify)(import_node_zlib.deflateRaw);
var inflate = (0, import_node_util.promisify)(import_node_zlib.inflateRaw);
async function compressBlock(chunks) {
  const raw = Buffer.concat(chunks);
  if (raw.length > MAX_BLOCK_BYTES) {
    throw new BlockError(`a block holds at most ${MAX_BLOCK_BYTES} bytes, not ${raw.length}`);
  }
  const rawBytes = raw.length;
  if (rawBytes < PLAIN_BELOW_BYTES) return { codec: 1 /* NONE */, data: raw, rawBytes };
  const zstd = await loadZstd();
  return zstd ? { codec: 2 /* ZSTD */, data: await zstd.compress(raw, ZSTD_LEVEL), rawBytes } : { codec: 3 /* DEFLATE */, data: await deflate(raw, { level: DEFLATE_LEVEL }), rawBytes };
}
async function decompressBlock(block) {
  const { rawBytes } = block;
  if (rawBytes > MAX_BLOCK_BYTES) {
    throw new BlockError(
      `a block holds at most ${MAX_BLOCK_BYTES} bytes, this one claims ${rawBytes}`
    );
  }
  const raw = await expand(block);
  if (raw.length !== rawBytes) {
    throw new BlockError(
      `the block claims ${rawBytes} bytes but holds ${raw.length}; it is damaged`
    );
  }
  return raw;
}
async function expand({ codec, data, rawBytes }) {
  switch (codec) {
    case 1 /* NONE */:
      return data;
    case 2 /* ZSTD */:
      return expandZstd(data, rawBytes);
    case 3 /* DEFLATE */:
      return inflate(data, { maxOutputLength: Math.max(1, rawBytes) }).catch(damaged);
    case 0 /* UNSPECIFIED */:
    case -1 /* UNRECOGNIZED */:
      throw new BlockError(`codec ${codec} is not known; the writer is newer than this reader`);
  }
}
async function expandZstd(data, rawBytes) {
  const bound = zstdContentBound(data);
  if (bound === void 0) throw new BlockError("the block is not one zstd frame; it is damaged");
  if (bound > rawBytes * ZSTD_BOUND_FACTOR + ZSTD_BOUND_SPARE_BYTES) {
    throw new BlockError(`the block claims ${rawBytes} bytes but may expand to ${bound}; refused`);
  }
  const zstd = await loadZstd();
  if (!zstd) {
    throw new BlockError("@mongodb-js/zstd has no build for this platform; read it on another one");
  }
  return zstd.decompress(data).catch(damaged);
}
function damaged(cause) {
  throw new BlockError(`the block cannot be expanded: ${String(cause)}`, { cause });
}

// .bench.ts
var import_node_fs = require("node:fs");
var import_node_zlib2 = require("node:zlib");
var root = "/work/shared/corpus/";
async function main() {
  const med = (a) => {
    a.sort((x, y) => x - y);
    return a[a.length >> 1].toFixed(2) + " (" + a[0].toFixed(2) + ")";
  };
  for (const d of ["metadata", "typical", "requestresponse", "v1beta1", "kube-ai-hub-v3", "kube-ai-hub-v4"]) {
    const bodies = (0, import_node_fs.readdirSync)(root + d).map((f) => (0, import_node_zlib2.gunzipSync)((0, import_node_fs.readFileSync)(root + d + "/" + f)));
    let n = 0;
    for (const b of bodies) n += splitBody(b).slices.length;
    const r = {};
    const t = async (k, f) => {
      const u = process.cpuUsage();
      await f();
      const v = process.cpuUsage(u);
      (r[k] ??= []).push((v.user + v.system) / n);
    };
    for (let i = 0; i < 9; i++) {
      await t("JSON.parse body", () => {
        for (const b of bodies) {
          const s = b.toString();
          if (d.endsWith("v4")) JSON.parse("[" + s.replaceAll('}{"Workspace":', '},{"Workspace":') + "]");
          else JSON.parse(s);
        }
      });
      await t("split", () => {
        for (const b of bodies) splitBody(b);
      });
      let dec = [];
      await t("decodeBody", async () => {
        for (const b of bodies) dec.push(await decodeBody(b));
      });
      await t("columns", () => {
        for (const x of dec) buildColumns(x.events, ARCHIVE_FIELDS);
      });
      await t("times", () => {
        for (const x of dec) for (const e of x.events) {
          e.requestReceivedUs;
          e.stageUs;
        }
      });
      await t("keys", () => {
        for (const x of dec) eventKeys(x.events.map((e) => e.bytes));
      });
      await t("strip", () => {
        for (const x of dec) for (const e of x.events) stripBodies(e.bytes, 2 /* BODIES */);
      });
      await t("valid", () => {
        for (const x of dec) for (const e of x.events) isValidJson(e.bytes);
      });
      await t("zstd", async () => {
        for (const x of dec) await compressBlock(x.events.map((e) => e.bytes));
      });
    }
    console.log(d, n, Object.entries(r).map(([k, v]) => k + " " + med(v)).join(" | "));
  }
  const big = Buffer.concat((0, import_node_fs.readdirSync)(root + "requestresponse").map((f) => (0, import_node_zlib2.gunzipSync)((0, import_node_fs.readFileSync)(root + "requestresponse/" + f))));
  for (const raw of [big, Buffer.concat([big, big, big]), Buffer.alloc(2e7, "a"), require("crypto").randomBytes(5e6)]) {
    const b = await compressBlock([raw]);
    console.log(raw.length, b.data.length, zstdContentBound(b.data), (await decompressBlock(b)).equals(raw));
  }
}
main();
