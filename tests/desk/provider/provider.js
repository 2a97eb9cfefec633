// An identity provider of one process: `node provider.js`, by what the environment says. It prints one line when it listens.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

const { PORT, PAGES, TOKEN_SECONDS = '3600', CLOCK_AHEAD_SECONDS = '0', REFRESH = 'on', AUDIENCE } = process.env;

const now = Date.now;
Date.now = () => now() + 1000 * Number(CLOCK_AHEAD_SECONDS);
const { Provider } = await import('oidc-provider');

const ROLES = { agent: ['CUSTOMER_SERVICE_AGENT'], admin: ['ADMIN'], guest: [] };
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = privateKey.export({ format: 'jwk' });
const pages = PAGES.split(' ');

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [
    {
      client_id: 'desk',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', ...(REFRESH === 'on' ? ['refresh_token'] : [])],
      response_types: ['code'],
      redirect_uris: pages,
      post_logout_redirect_uris: pages,
    },
  ],
  jwks: { keys: [{ ...jwk, kid: createHash('sha256').update(jwk.n).digest('hex').slice(0, 8), use: 'sig', alg: 'RS256' }] },
  cookies: { keys: ['of this process'] },
  pkce: { required: () => true },
  clientBasedCORS: (ctx, origin) => pages.some((page) => page.startsWith(`${origin}/`)),
  extraParams: ['audience'],
  ttl: { AccessToken: Number(TOKEN_SECONDS), Grant: 3600, Session: 3600, Interaction: 600, IdToken: 600, RefreshToken: 3600 },
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims: (ctx, { accountId }) => ({ roles: ROLES[accountId], name: `${accountId} of the provider` }),
  interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
  async loadExistingGrant(ctx) {
    const { client, session, params } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource: askToSignOut },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:gateway',
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx) => ({
        scope: '',
        audience: AUDIENCE ?? ctx.oidc.params.audience ?? 'customer-gateway',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});

function askToSignOut(ctx, form) {
  ctx.body = `<!doctype html><title>Sign out</title>${form}<button form="op.logoutForm" name="logout" value="yes">Yes, sign out</button>`;
}

const login = (action) => `<!doctype html><title>Sign in</title><h1>Provider</h1>
<form method="post" action="${action}"><label>User <input name="user"></label><button>Continue</button></form>
<form method="post" action="${action}"><button name="cancel" value="yes">Cancel</button></form>`;

async function interact(request, response) {
  if (request.method !== 'POST') return response.setHeader('content-type', 'text/html').end(login(request.url));
  let body = '';
  for await (const part of request) body += part;
  const form = new URLSearchParams(body);
  const result = form.has('cancel')
    ? { error: 'access_denied', error_description: 'The user did not want to.' }
    : { login: { accountId: form.get('user') } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const answer = provider.callback();
provider.on('server_error', (ctx, error) => console.error(error));
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  interact(request, response).catch((error) => response.writeHead(500).end(String(error)));
}).listen(Number(PORT), '127.0.0.1', () => console.log('listening'));
