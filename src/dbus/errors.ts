import { quote, SlicectlError } from '../core/errors.ts';
import type { Call } from './types.ts';

const DBUS_ERROR = 'org.freedesktop.DBus.Error.';

const NOT_ALLOWED = new Set([
  `${DBUS_ERROR}AccessDenied`,
  `${DBUS_ERROR}InteractiveAuthorizationRequired`,
  'org.freedesktop.PolicyKit1.Error.NotAuthorized',
]);

// Answers in the moment in which a service has lost its name: systemd closes its bus connection for daemon-reexec. On
// the system bus the daemon then tries to activate the name, whose service file runs /bin/false (Spawn.ChildExited).
const GONE_FOR_A_MOMENT = new Set(
  ['ServiceUnknown', 'NameHasNoOwner', 'NoReply', 'Disconnected', 'Spawn.ChildExited', 'Spawn.ExecFailed'].map(
    (name) => DBUS_ERROR + name,
  ),
);

const HINTS: Readonly<Record<string, string>> = {
  [`${DBUS_ERROR}LimitsExceeded`]:
    'the bus limits what one client or user may hold: close other connections or try again later',
  [`${DBUS_ERROR}ServiceUnknown`]: 'nothing on this bus answers to that name: is systemd the init of this system?',
  [`${DBUS_ERROR}PropertyReadOnly`]:
    'this systemd does not know the property, or it can be set only when the unit is made',
  'org.freedesktop.systemd1.UnitExists':
    'choose another name, or stop the unit; a failed one goes with systemctl reset-failed',
};

/** `StartTransientUnit of "a.scope"`, for messages. */
export function callName(call: Call, about: string | undefined): string {
  return about === undefined ? call.member : `${call.member} of ${quote(about)}`;
}

/** A D-Bus error reply as our error: `data.name` is the D-Bus name, `data.text` the bus's own words. */
export function busError(name: string, text: string, call: Call, about: string | undefined): SlicectlError {
  const code = NOT_ALLOWED.has(name)
    ? 'E_PRIVILEGE'
    : name === 'org.freedesktop.systemd1.UnitExists'
      ? 'E_UNIT_EXISTS'
      : 'E_BUS';
  const hint = code === 'E_PRIVILEGE' ? 'run as root, or use your own user manager' : HINTS[name];
  const words = text === '' ? name : quote(text);
  return new SlicectlError(code, `${call.destination} refused ${callName(call, about)}: ${words}`, {
    ...(hint !== undefined && { hint }),
    data: { name, text, member: call.member, ...(about !== undefined && { about }) },
  });
}

/**
 * True if the same call may succeed shortly: the connection was lost, or the called service had no name for a moment.
 * It does not say that the call was not carried out: repeat StartTransientUnit only with a look at `E_UNIT_EXISTS`.
 */
export function retryable(error: unknown): boolean {
  if (!(error instanceof SlicectlError)) return false;
  if (error.code === 'E_BUS_LOST') return true;
  return error.code === 'E_BUS' && typeof error.data.name === 'string' && GONE_FOR_A_MOMENT.has(error.data.name);
}

/** The D-Bus name of the error that the bus or a service answered with. */
export function busErrorName(error: unknown): string | undefined {
  if (!(error instanceof SlicectlError) || typeof error.data.name !== 'string') return undefined;
  return error.data.name;
}
