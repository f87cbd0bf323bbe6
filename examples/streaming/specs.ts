/** What the apps of a streaming service log. */
import {
  binary,
  boolean,
  date,
  decimal,
  defineContext,
  defineEvent,
  double,
  enumOf,
  int,
  json,
  list,
  long,
  map,
  string,
  struct,
  timestamp,
} from 'headwater/spec'

export const context = defineContext({
  doc: 'The app, the device and who watches.',
  fields: {
    app: string().doc('Name of the app.'),
    app_version: string().doc('Version of the app.'),
    platform: enumOf('tv', 'web', 'ios', 'android').doc('Kind of device.'),
    device_model: string().optional().doc('Model as the device names itself.'),
    member_id: long().optional().personal('account').doc('Account; absent before signing in.'),
    profile_id: string().optional().personal('account').doc('Profile within the account.'),
    country: string().maxLength(2).optional().doc('Country of the account.'),
    language: string().optional().doc('Language of the interface.'),
    cells: map(string()).optional().doc('Experiment → cell that the member is in.'),
  },
})

const screen = enumOf('home', 'search', 'title', 'player', 'account', 'profiles')

export const screenViewed = defineEvent('screen_viewed', {
  doc: 'A screen has become visible.',
  owner: 'navigation',
  fields: {
    screen,
    from: screen.optional().doc('The screen before it.'),
    load_time: int().unit('ms').min(0).max(600_000),
  },
})

export const buttonPressed = defineEvent('button_pressed', {
  doc: 'The member pressed a button of the interface.',
  owner: 'navigation',
  fields: { screen, button: string().maxLength(64), held: int().unit('ms').optional() },
})

export const rowsPresented = defineEvent('rows_presented', {
  doc: 'Titles were on screen long enough to be seen.',
  owner: 'discovery',
  fields: {
    screen,
    impressions: list(
      struct({
        title_id: long(),
        row: int().min(0),
        position: int().min(0),
        artwork: string().optional(),
        visible: int().unit('ms'),
      }),
    ).maxLength(200),
    scores: list(double()).optional().doc('Scores that the ranking gave.'),
  },
})

export const titleSelected = defineEvent('title_selected', {
  doc: 'The member chose a title to look at.',
  owner: 'discovery',
  fields: { title_id: long(), row: int().min(0), position: int().min(0), list: string() },
})

export const searched = defineEvent('searched', {
  doc: 'A search was answered.',
  owner: 'discovery',
  fields: {
    query: string().maxLength(200).personal('what the member looks for'),
    results: int().min(0),
    latency: int().unit('ms'),
  },
})

export const playStarted = defineEvent('play_started', {
  doc: 'The first frame is on screen.',
  owner: 'playback',
  fields: {
    playback_id: string().doc('One playback, from start to end.'),
    title_id: long(),
    position: int().unit('ms').min(0),
    muted: boolean(),
    subtitle: string().optional(),
    start_time: int().unit('ms').doc('From pressing play to the first frame.'),
    license_token: binary().maxLength(64).optional(),
  },
})

export const playProgressed = defineEvent('play_progressed', {
  doc: 'Playback has gone on for a while.',
  owner: 'playback',
  fields: {
    playback_id: string(),
    position: int().unit('ms').min(0),
    bitrate: int().unit('kbit/s'),
    buffer: double().unit('s'),
  },
})

export const playPaused = defineEvent('play_paused', {
  doc: 'Playback was paused by the member.',
  owner: 'playback',
  fields: { playback_id: string(), position: int().unit('ms').min(0) },
})

export const playEnded = defineEvent('play_ended', {
  doc: 'Playback is over.',
  owner: 'playback',
  fields: {
    playback_id: string(),
    position: int().unit('ms').min(0),
    watched: long().unit('ms'),
    reason: enumOf('finished', 'stopped', 'error'),
  },
})

export const rebuffered = defineEvent('rebuffered', {
  doc: 'Playback waited for data.',
  owner: 'playback',
  fields: { playback_id: string(), position: int().unit('ms').min(0), wait: int().unit('ms') },
})

export const appStarted = defineEvent('app_started', {
  doc: 'The app can be used.',
  owner: 'performance',
  fields: {
    kind: enumOf('cold', 'warm'),
    time_to_interactive: int().unit('ms'),
    memory: double().unit('MB'),
    installed_on: date().optional(),
  },
})

export const apiCalled = defineEvent('api_called', {
  doc: 'A request to the service was answered.',
  owner: 'performance',
  fields: {
    endpoint: string(),
    status: int().min(100).max(599),
    latency: int().unit('ms'),
    timings: map(int()).optional().doc('Phase → ms.'),
  },
})

export const errorShown = defineEvent('error_shown', {
  doc: 'Something went wrong that the member could see.',
  owner: 'performance',
  fields: { code: string(), message: string(), fatal: boolean(), details: json().optional() },
})

export const cellExposed = defineEvent('cell_exposed', {
  doc: 'The member met what an experiment changes.',
  owner: 'experiments',
  fields: { experiment: string(), cell: string() },
})

export const planChanged = defineEvent('plan_changed', {
  doc: 'A membership was begun, changed or ended.',
  owner: 'membership',
  fields: {
    plan: enumOf('basic', 'standard', 'premium', 'none'),
    price: decimal(6, 2).unit('EUR'),
    effective: timestamp(),
  },
})

export const profileSwitched = defineEvent('profile_switched', {
  doc: 'Another profile of the account took over.',
  owner: 'membership',
  fields: { kids: boolean(), avatar: string().optional() },
})
