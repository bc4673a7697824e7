/** Words that are not replaced: those that rules depend on, and plain English in messages. */

const wordsOf = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter((word) => word !== ""));

/** Values with a meaning, in any position. A Gateway of such a name keeps it. */
const MEANINGFUL = wordsOf(`
  default stunner stunner.l7mp.io gateway.networking.k8s.io discovery.k8s.io apps rbac.authorization.k8s.io cluster.local
  stunner.l7mp.io/gateway-operator stunnerd-config stunnerd.conf stunner-daemon gateway-health-check $STUNNER_ADDR stunnerd turnpike
  v1 v2 v1alpha1 v1alpha2 v1beta1 apps/v1 true false True False TRUE FALSE Unknown
  TURN-UDP TURN-TCP TURN-TLS TURN-DTLS UDP TCP TLS DTLS SCTP HTTP HTTPS http https
  GatewayClass Gateway UDPRoute GatewayUDPRoute ReferenceGrant GatewayConfig Dataplane StaticService Service Endpoints
  EndpointSlice Secret Namespace Node Deployment DaemonSet ReplicaSet Pod ConfigMap DataplaneConfig Lease
  ClusterIP NodePort LoadBalancer ExternalName ClientIP None Local Cluster local cluster IPAddress Hostname
  ExternalIP ExternalDNS InternalIP InternalDNS IPv4 IPv6 FQDN SingleStack PreferDualStack RequireDualStack
  All Same Selector In NotIn Exists DoesNotExist Terminate Passthrough Always IfNotPresent Never
  static ephemeral plaintext timewindowed longterm none username password secret sharedSecret type
  all INFO DEBUG WARN WARNING ERROR TRACE XDP TC Auto
  tls.crt tls.key crt cert key status
  Accepted Programmed ResolvedRefs Conflicted Invalid InvalidParameters Pending AddressNotAssigned NoConflicts
  ProtocolConflict PortUnavailable UnsupportedProtocol InvalidCertificateRef RefNotPermitted NotAllowedByListeners NoMatchingParent
  InvalidKind BackendNotFound ListenersNotValid InvalidRouteKinds NoEndpoints UnsupportedValue
  expired not-yet-valid key-unreadable key-mismatch not-for-servers not-for-handshakes unusable Ready Available Progressing Waiting SIGTERM SIGINT SIGHUP ECONNREFUSED ECONNRESET ETIMEDOUT
  EADDRINUSE EACCES EADDRNOTAVAIL ENOENT EPIPE
`);

/** Words of messages: those of the program, and the most frequent ones of an API server. */
const ENGLISH = wordsOf(`
  a about above absent accept accepted accepts access active additional after again all allocated allocation allocations allowed already also
  an and annotation another answer answered answers any are as asked asks at attached authentication available be because been before
  behind being belongs below between both bind broken busy but by bytes call calls can cannot certificate change changed channel
  check class client close closed cluster code collected combination condition config conflict connection connections could create
  created credentials dataplane deadline dead default deleted denied detached did different do does done down dropped due each empty
  end ended endpoint endpoints error errors event every exceeded exist existing exists expected expired expires failed failure field file
  final first for forbidden found from gateway gave get give given gone graceful group had has have held holder host if in inactive incorrect
  instead internal invalid is it its key kind known last lease least left length less lets lifetime limit line list listed listener
  listeners longer lost made make many masked match matches may media message missing more most must name named names namespace network
  never new next no node none not nothing now number object objects of off old on once one only open opened operation operator or other
  out over own parameters parent parents part parts password patch path peer peers per permission permissions permitted port ports present
  private problem process protocol provided range ready reason received reference references refer refused refuses rejected rejects
  relay relayed release released remove removed renewed replaced reply request requests required resolved resource resources restarted
  retry returned route routes rule rules running same secret seen selected selector server service services set shutdown since size
  so socket some something specified standby started state static status still stop stopped stopping stream such supported syntax system
  table taken terminating test than that the their them then there these they this those thread time timed timeout to too torn traffic
  transport try two type unable unavailable under unexpected unique unknown unreachable unsupported until unusable up update updated
  use used user uses usual valid value version waiting was watch were when where which while whole will with without worker would write
  written wrong yet you your
`);

/** Labels and annotations of Kubernetes, of the Gateway API and of STUNner: keys that identify no user. */
const WELL_KNOWN_KEY = /^(?:[a-z0-9-]+\.)*(?:kubernetes\.io|k8s\.io|l7mp\.io|argoproj\.io|fluxcd\.io|turnpike\.dev)\//;

export const isMeaningful = (word: string): boolean => MEANINGFUL.has(word);
export const isEnglish = (word: string): boolean => ENGLISH.has(word.toLowerCase());
export const isWellKnownKey = (key: string): boolean => key === "app" || WELL_KNOWN_KEY.test(key);

/** Fields with an enumerated value. */
export const ENUMERATIONS: ReadonlySet<string> = wordsOf(`
  protocol operator addressType mode outcome code effect from endpointSource authType imagePullPolicy dataplaneResource
  offloadEngine offload_engine externalTrafficPolicy internalTrafficPolicy sessionAffinity ipFamilyPolicy restartPolicy
  dnsPolicy scheme whenUnsatisfiable terminationMessagePolicy
`);

/** Fields with the key of a label or annotation. */
export const KEYS: ReadonlySet<string> = wordsOf("key labelFilter topologyKey");

/** Fields with texts for people. */
export const MESSAGES: ReadonlySet<string> = wordsOf("reason message why field");

/** Fields with user-defined keys. */
export const MAPS: ReadonlySet<string> = wordsOf(`
  labels annotations matchLabels selector nodeSelector data loadBalancerServiceAnnotations
`);

/** Of a selector that is more than a map of labels. */
export const SELECTOR_FIELDS: ReadonlySet<string> = wordsOf("matchLabels matchExpressions");
