/**
 * The Caracal platform in one JVM: STS, Coordinator, Gateway, a protected API and an audit log, each on its own port, with
 * state in memory only. Examples and tests run on it with nothing installed.
 *
 * <p>It answers as a deployment of release 1.0.0 does, with the same limits and the same delay of revocations. A test replays
 * recorded requests and compares the answers. The differences:
 *
 * <table>
 * <caption>Where it differs from a deployment</caption>
 * <thead><tr><th>A deployment</th><th>The local platform</th></tr></thead>
 * <tbody>
 * <tr><td>keeps its state in PostgreSQL and Redis, and answers errors of its own, or after some seconds none, when they
 * fail</td><td>has neither, though it can write the revocation streams to a Redis; {@link
 * run.caracal.platform.LocalPlatform#faults} makes such errors</td></tr>
 * <tr><td>takes a wrong or new secret half a second to check</td><td>checks it at once</td></tr>
 * <tr><td>ends a connection whose headers or body take longer than a few seconds, at the STS also one whose answer does</td>
 * <td>waits as long as the client does</td></tr>
 * <tr><td>writes the names of headers to the upstream in Go's spelling ({@code X-My-Header})</td><td>passes them as they were
 * sent, since Netty keeps them so</td></tr>
 * <tr><td>speaks HTTP/2 behind a proxy that does</td><td>speaks HTTP/1.1 only, so the trailer of a cut answer is one of chunked
 * encoding</td></tr>
 * <tr><td>escapes the path in the {@code Location} of its redirect anew</td><td>leaves its escapes as they were sent</td></tr>
 * <tr><td>names the exact fault in JSON of an ID token that is malformed</td><td>names the part that is</td></tr>
 * <tr><td>lists an audit event some time after the call</td><td>has it before the answer's end</td></tr>
 * </tbody>
 * </table>
 *
 * <p>{@link run.caracal.platform.ProtectedResource#sharedWith}, the limits and {@link run.caracal.platform.FaultRule faults} are
 * deviations on purpose.
 */
@NullMarked
package run.caracal.platform;

import org.jspecify.annotations.NullMarked;
