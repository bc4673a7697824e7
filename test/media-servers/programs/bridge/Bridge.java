import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.ice4j.Transport;
import org.ice4j.TransportAddress;
import org.ice4j.ice.Agent;
import org.ice4j.ice.Candidate;
import org.ice4j.ice.CandidatePair;
import org.ice4j.ice.CandidateType;
import org.ice4j.ice.Component;
import org.ice4j.ice.IceMediaStream;
import org.ice4j.ice.KeepAliveStrategy;
import org.ice4j.ice.RemoteCandidate;
import org.ice4j.ice.harvest.AbstractUdpListener;
import org.ice4j.ice.harvest.SinglePortUdpHarvester;
import org.ice4j.util.BufferPool;
import org.json.simple.JSONObject;
import org.json.simple.parser.JSONParser;
import org.json.simple.parser.ParseException;

/**
 * The ICE of Jitsi's videobridge without the bridge: one port for all clients, by JVB_PORT. Nothing is behind it: it counts the
 * packets that are none of STUN.
 *
 * <p>POST /api/offer with {"sdp", "type"}, of one data channel, is answered in the same form; GET /state?UFRAG says how it is
 * with that client of this ufrag: {"state", "remote", "packets"}.
 */
@SuppressWarnings("unchecked") // of JSONObject
public final class Bridge {
  private static final int SIGNALLING_PORT = 8080;
  private static final Pattern CANDIDATE =
      Pattern.compile("^a=candidate:(\\S+) 1 udp (\\d+) (\\S+) (\\d+) typ (\\w+)", Pattern.MULTILINE | Pattern.CASE_INSENSITIVE);

  private record Client(Agent agent, Component component, AtomicLong packets) {}

  static {
    // Before the first harvester.
    AbstractUdpListener.USE_PUSH_API = true;
  }

  private static final List<SinglePortUdpHarvester> harvesters =
      SinglePortUdpHarvester.createHarvesters(Integer.parseInt(System.getenv("JVB_PORT")));
  private static final Map<String, Client> clients = new ConcurrentHashMap<>();

  private static String attribute(String sdp, String name) {
    Matcher found = Pattern.compile("^a=" + name + ":(\\S+)", Pattern.MULTILINE).matcher(sdp);
    if (!found.find()) throw new IllegalArgumentException("the offer has no " + name);
    return found.group(1);
  }

  private static Client clientOf(String sdp) throws IOException {
    Agent agent = new Agent();
    agent.setControlling(false);
    agent.setUseDynamicPorts(false);
    harvesters.forEach(agent::addCandidateHarvester);
    IceMediaStream stream = agent.createMediaStream("media");
    stream.setRemoteUfrag(attribute(sdp, "ice-ufrag"));
    stream.setRemotePassword(attribute(sdp, "ice-pwd"));
    Component component = agent.createComponent(stream, KeepAliveStrategy.SELECTED_ONLY, false);
    AtomicLong packets = new AtomicLong();
    component.setBufferCallback(
        buffer -> {
          packets.incrementAndGet();
          BufferPool.returnBuffer.invoke(buffer);
        });
    Matcher found = CANDIDATE.matcher(sdp);
    while (found.find()) {
      TransportAddress address =
          new TransportAddress(found.group(3), Integer.parseInt(found.group(4)), Transport.UDP);
      CandidateType type = CandidateType.parse(found.group(5));
      long priority = Long.parseLong(found.group(2));
      component.addRemoteCandidate(new RemoteCandidate(address, component, type, found.group(1), priority, null));
    }
    agent.startConnectivityEstablishment();
    return new Client(agent, component, packets);
  }

  private static String answerOf(String sdp, Client client) {
    StringBuilder answer =
        new StringBuilder(
            "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\n");
    answer.append("a=mid:").append(attribute(sdp, "mid"));
    answer.append("\na=sctp-port:5000\na=setup:passive\na=fingerprint:sha-256 00").append(":00".repeat(31));
    answer.append("\na=ice-ufrag:").append(client.agent.getLocalUfrag());
    answer.append("\na=ice-pwd:").append(client.agent.getLocalPassword()).append("\n");
    for (Candidate<?> one : client.component.getLocalCandidates())
      answer.append(
          String.format(
              "a=candidate:%s 1 udp %d %s %d typ %s%n",
              one.getFoundation(),
              one.getPriority(),
              one.getTransportAddress().getHostAddress(),
              one.getTransportAddress().getPort(),
              one.getType()));
    return answer.toString().replace("\n", "\r\n");
  }

  private static JSONObject offer(HttpExchange exchange) throws IOException, ParseException {
    String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    String sdp = (String) ((JSONObject) new JSONParser().parse(body)).get("sdp");
    Client client = clientOf(sdp);
    clients.put(attribute(sdp, "ice-ufrag"), client);
    JSONObject answer = new JSONObject();
    answer.put("type", "answer");
    answer.put("sdp", answerOf(sdp, client));
    return answer;
  }

  private static JSONObject state(HttpExchange exchange) {
    Client client = clients.get(exchange.getRequestURI().getQuery());
    if (client == null) throw new IllegalArgumentException("no client has this ufrag");
    CandidatePair pair = client.component.getSelectedPair();
    JSONObject answer = new JSONObject();
    answer.put("state", client.agent.getState().toString());
    answer.put("remote", pair == null ? null : pair.getRemoteCandidate().getTransportAddress().getHostAddress());
    answer.put("packets", client.packets.get());
    return answer;
  }

  private interface Answering {
    JSONObject answer(HttpExchange exchange) throws Exception;
  }

  private static void serve(HttpServer server, String path, Answering answering) {
    server.createContext(
        path,
        exchange -> {
          int status = 200;
          String text;
          try {
            text = answering.answer(exchange).toString();
          } catch (Exception error) {
            status = 400;
            text = error.toString();
          }
          byte[] body = text.getBytes(StandardCharsets.UTF_8);
          exchange.getResponseHeaders().set("Access-Control-Allow-Origin", "*");
          exchange.sendResponseHeaders(status, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
  }

  public static void main(String[] args) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(SIGNALLING_PORT), 0);
    server.setExecutor(Executors.newCachedThreadPool());
    serve(server, "/api/offer", Bridge::offer);
    serve(server, "/state", Bridge::state);
    server.start();
  }
}
