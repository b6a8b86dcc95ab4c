"use strict";

// Everything shown comes as text, never as markup: names and reasons are other people's.
const KEY = "config-server-admin-key";
const INTERVAL = 2000;
const CALENDAR_INTERVAL = 60000;
const MOST_EVENTS = 50;
const byId = (id) => document.getElementById(id);
let timer = null;
let calendar = { events: [], readAt: -Infinity };

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

class Refused extends Error {
  constructor(status, body) {
    super((body.errors || [body.detail]).join("\n"));
    this.status = status;
    this.errors = body.errors || [];
  }
}

async function ask(method, path, document_) {
  const answer = await fetch(path, {
    method,
    headers: { Authorization: `Api-Key ${sessionStorage.getItem(KEY)}` },
    body: document_ && JSON.stringify(document_),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

function signedIn(yes) {
  byId("sign-in").hidden = yes;
  byId("fleet").hidden = !yes;
  byId("sign-out").hidden = !yes;
  if (!yes) byId("state").textContent = "not signed in";
}

function signOut(message = "") {
  clearTimeout(timer);
  sessionStorage.removeItem(KEY);
  byId("strategies").replaceChildren();
  calendar = { events: [], readAt: -Infinity };
  byId("sign-in-error").textContent = message;
  signedIn(false);
}

const STATUS = { ACTIVE: "good", PAUSED: "warn", DOWN: "bad", NEVER_SEEN: "faint" };

function pair(asked, applied) {
  const known = applied === null || applied === undefined ? "–" : applied;
  return element("td", `${asked} / ${known}`, asked === applied ? "good" : known === "–" ? "faint" : "warn");
}

function strategiesCell(account) {
  const id = account.active_bot_id;
  if (id === null) return element("td", "none", "faint");
  const cell = pair(account.strategy_versions[id] ?? "missing", account.applied_strategy_versions[id]);
  cell.textContent = `#${id}: ${cell.textContent}`;
  return cell;
}

function wantedCell(account) {
  const reasons = [];
  if (account.account_status !== "ACTIVE") reasons.push(`account ${account.account_status}`);
  if (account.subscription_status !== "ACTIVE") reasons.push(`subscription ${account.subscription_status}`);
  if (account.dd_blocked) reasons.push("drawdown block");
  if (account.fleet_action && account.fleet_action !== "RUN") reasons.push(`fleet ${account.fleet_action}`);
  if (account.command && account.command.action !== "RUN") reasons.push(`command ${account.command.action}`);
  const cell = element("td", account.bot_status, STATUS[account.bot_status]);
  if (reasons.length) cell.append(document.createElement("br"), element("small", reasons.join(", ")));
  return cell;
}

// What the bot's news guard says; null for a bot that says nothing that is known here.
function newsOf(account) {
  try {
    const news = JSON.parse(account.heartbeat.news || "null");
    return news && typeof news.state === "string" ? news : null;
  } catch {
    return null;
  }
}

function windowsOf(account) {
  const news = newsOf(account);
  const windows = news && Array.isArray(news.windows) ? news.windows : [];
  return windows.filter((one) => one && Array.isArray(one.events));
}

// A moment of a calendar without its seconds, and as it came if it is none.
function utc(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? String(text ?? "?") : at.toISOString().slice(0, 16).replace("T", " ") + "Z";
}

function listed(value) {
  return Array.isArray(value) ? value.join(", ") : "?";
}

const NEWS = { OFF: "faint", CLEAR: "good", BLOCKED: "warn", UNKNOWN: "bad", NO_CALENDAR: "bad" };

function newsCell(account) {
  const news = newsOf(account);
  if (!news) return element("td", "–", "faint");
  const cell = element("td", news.state, NEWS[news.state] || "");
  let more = "";
  if (news.state === "BLOCKED") {
    cell.textContent = `BLOCKED until ${utc(news.until)}`;
    more = `${news.event ?? "?"}: ${listed(news.symbols)}`;
  }
  if (news.state === "CLEAR" && news.next_event) more = `next ${news.next_event}, from ${utc(news.next_from)}`;
  if (news.state === "UNKNOWN") more = news.when_unknown === "allow" ? "entries go on" : "entries stop";
  if (news.state === "NO_CALENDAR") more = "entries go on through all news";
  if (more) cell.append(document.createElement("br"), element("small", more));
  return cell;
}

function newsNotes(account) {
  const news = newsOf(account);
  if (!news) return [];
  // The reason holds what is wrong with sources.
  const line = news.state === "UNKNOWN" ? news.reason : news.problem;
  return line ? [`news: ${line}`] : [];
}

// Strategies and plugins that fail now; the text is the bot's own.
function failingNotes(account) {
  try {
    const failing = JSON.parse(account.heartbeat.failing || "{}") || {};
    return Object.entries(failing).map(([name, error]) => `failing: ${name}: ${error}`);
  } catch {
    return [];
  }
}

// One event of the server's calendar and of a bot's own source has one key.
function eventKey(event) {
  return `${Date.parse(event.at)} ${String(event.currency).toUpperCase()} ${event.title}`;
}

// What the server's calendar still holds, and what stops a bot's entries, whatever its source.
function comingEvents(accounts) {
  const found = new Map();
  for (const { date, country, impact, title } of calendar.events) {
    const event = { at: date, currency: country, impact, title, stops: [] };
    if (Date.parse(date) >= Date.now()) found.set(eventKey(event), event);
  }
  for (const account of accounts) {
    for (const window_ of windowsOf(account)) {
      for (const told of window_.events.filter(Boolean)) {
        const key = eventKey(told);
        if (!found.has(key)) found.set(key, { ...told, stops: [] });
        found.get(key).stops.push(
          `${account.mt5_account_id}: ${listed(window_.symbols)}, ${utc(window_.from)} to ${utc(window_.until)}`);
      }
    }
  }
  return [...found.values()].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

function eventRow(event) {
  const row = document.createElement("tr");
  const here = new Date(event.at).toLocaleString([], { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  row.append(
    element("td", utc(event.at)),
    element("td", here),
    element("td", event.currency),
    element("td", event.impact, event.impact === "High" ? "bad" : ""),
    element("td", event.title),
    element("td", event.stops.join("\n") || "–", event.stops.length ? "lines warn" : "faint"),
  );
  return row;
}

async function showNews(accounts) {
  if (Date.now() - calendar.readAt > CALENDAR_INTERVAL) {
    const answer = await ask("GET", "/api/admin/calendar/");
    calendar = { events: answer.events, readAt: Date.now() };
  }
  const events = comingEvents(accounts);
  byId("news").replaceChildren(...events.slice(0, MOST_EVENTS).map(eventRow));
  byId("news-table").hidden = !events.length;
  const more = events.length - MOST_EVENTS;
  byId("news-note").textContent = more > 0 ? `and ${more} more`
    : events.length ? "" : "Nothing is coming, as far as the server's calendar and the bots know.";
}

function accountRows(account) {
  const row = document.createElement("tr");
  const beat = account.heartbeat;
  const wanted = account.bot_status === "ACTIVE" ? "PAUSED" : "ACTIVE";
  const button = element("button", wanted === "PAUSED" ? "Pause" : "Resume");
  button.type = "button";
  button.setAttribute("aria-label", `${button.textContent} account ${account.mt5_account_id}`);
  button.onclick = () => act(button, () =>
    ask("PATCH", `/api/admin/accounts/${account.mt5_account_id}/`, { bot_status: wanted }));
  const last = element("td");
  row.append(
    element("td", account.mt5_account_id),
    element("td", account.observed_status, STATUS[account.observed_status]),
    wantedCell(account),
    pair(account.trade_config_version, account.applied_trade_config_version),
    strategiesCell(account),
    element("td", beat.equity || beat.current_balance || "–", "number"),
    element("td", beat.open_positions || "–", "number"),
    newsCell(account),
    element("td", beat.timestamp ? new Date(beat.timestamp).toLocaleTimeString() : "none"),
    last,
  );
  last.append(button);
  const rows = [row];
  const lines = [...account.config_errors, ...failingNotes(account), ...newsNotes(account)];
  if (beat.dd_blocked === "true") lines.push(`drawdown: ${beat.dd_block_reason}`);
  if (lines.length) {
    const more = document.createElement("tr");
    const cell = element("td", lines.join("\n"), "errors");
    cell.colSpan = 10;
    more.append(cell);
    rows.push(more);
  }
  return rows;
}

async function act(button, action) {
  button.disabled = true;
  byId("accounts-error").textContent = "";
  try {
    await action();
    await refresh();
  } catch (error) {
    byId("accounts-error").textContent = error.message;
    button.disabled = false;
  }
}

// A number stays a number; a text that is none goes as text, and the server says no.
function typed(text, before) {
  const trimmed = text.trim();
  if (typeof before === "boolean" && (trimmed === "true" || trimmed === "false")) return trimmed === "true";
  if (typeof before === "string") return text;
  return trimmed !== "" && Number.isFinite(Number(trimmed)) ? Number(trimmed) : text;
}

function parameterTable(strategy, inputs) {
  const symbols = Object.keys(strategy.parameters_by_symbol);
  const names = [...new Set(symbols.flatMap((s) => Object.keys(strategy.parameters_by_symbol[s])))];
  const table = document.createElement("table");
  const head = document.createElement("tr");
  head.append(element("th", "Symbol"), ...names.map((name) => element("th", name)));
  table.append(head);
  for (const symbol of symbols) {
    const row = document.createElement("tr");
    row.append(element("td", symbol));
    for (const name of names) {
      const cell = document.createElement("td");
      const value = strategy.parameters_by_symbol[symbol][name];
      if (value !== undefined) {
        const input = document.createElement("input");
        input.value = String(value);
        input.setAttribute("aria-label", `${symbol} ${name}`);
        input.oninput = () => {
          input.classList.toggle("changed", input.value !== String(value));
          input.classList.remove("wrong");
        };
        inputs.push({ path: `parameters_by_symbol.${symbol}.${name}`, input, value });
        cell.append(input);
      }
      row.append(cell);
    }
    table.append(row);
  }
  return table;
}

function strategyCard(strategy) {
  const card = document.createElement("article");
  const inputs = [];
  const head = document.createElement("header");
  head.append(
    element("h3", `#${strategy.id} ${strategy.bot_strategy_name}`),
    element("p", `${strategy.bot_strategy_class}, version ${strategy.version}`),
  );
  const scroll = element("div", "", "scroll");
  scroll.append(parameterTable(strategy, inputs));
  const save = element("button", "Save");
  save.type = "button";
  const result = element("span");
  result.setAttribute("role", "status");
  const foot = document.createElement("footer");
  foot.append(save, result);
  const errors = element("p", "", "error");
  errors.setAttribute("role", "alert");
  card.append(head, scroll, foot, errors);
  save.onclick = async () => {
    const changed = inputs.filter(({ input, value }) => input.value !== String(value));
    result.textContent = errors.textContent = "";
    if (!changed.length) {
      result.textContent = "nothing was changed";
      return;
    }
    const patch = Object.fromEntries(changed.map(({ path, input, value }) => [path, typed(input.value, value)]));
    save.disabled = true;
    try {
      const stored = await ask("PATCH", `/api/admin/strategies/${strategy.id}/`, patch);
      const fresh = strategyCard(stored);
      fresh.querySelector("footer span").textContent = `saved as version ${stored.version}`;
      fresh.querySelector("footer span").className = "saved";
      card.replaceWith(fresh);
      await refresh();
    } catch (error) {
      errors.textContent = error.message;
      for (const { path, input } of inputs) {
        input.classList.toggle("wrong", (error.errors || []).some((line) => line.startsWith(`$.${path}:`)));
      }
      save.disabled = false;
    }
  };
  return card;
}

async function refresh() {
  const fleet = await ask("GET", "/api/admin/fleet/");
  const action = fleet.fleet_command && fleet.fleet_command.action;
  const focused = document.activeElement && document.activeElement.getAttribute("aria-label");
  byId("accounts").replaceChildren(
    ...fleet.accounts.flatMap((account) => accountRows({ ...account, fleet_action: action })));
  const again = [...byId("accounts").querySelectorAll("button")].find((button) => button.getAttribute("aria-label") === focused);
  if (again) again.focus();
  await showNews(fleet.accounts);
  byId("state").textContent = { up: "Redis is up", down: "Redis is down: bots are not seen", none: "without Redis: bots are not seen" }[fleet.redis];
}

async function start() {
  const strategies = await ask("GET", "/api/admin/strategies/");
  byId("strategies").replaceChildren(...strategies.strategies.map(strategyCard));
  await refresh();
  signedIn(true);
  timer = setTimeout(tick, INTERVAL);
}

async function tick() {
  try {
    await refresh();
  } catch (error) {
    if (error.status === 401 || error.status === 403) return signOut(error.message);
    byId("state").textContent = "the server does not answer";
  }
  timer = setTimeout(tick, INTERVAL);
}

byId("sign-in").onsubmit = async (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, byId("key").value);
  byId("key").value = "";
  try {
    byId("sign-in-error").textContent = "";
    await start();
  } catch (error) {
    signOut(error.message);
  }
};
byId("sign-out").onclick = () => signOut();

// A link may carry the key after #: that part never leaves the browser. Not kept in the address.
if (location.hash.startsWith("#key=")) {
  sessionStorage.setItem(KEY, decodeURIComponent(location.hash.slice(5)));
  history.replaceState(null, "", location.pathname);
}
if (sessionStorage.getItem(KEY)) start().catch((error) => signOut(error.message));
else signedIn(false);
