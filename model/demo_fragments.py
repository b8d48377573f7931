"""The natural-language fragments of the demo corpus (see `model.demo_corpus` for the grammar).

A header line says domain, topic and sign; the indented lines under it hold fragments, separated
by semicolons. A pair of angle brackets is a slot:

    <a/b>         one of a, b
    <very|not>    before the bar the sign stays, after it the sign is turned round
    very, not ... a word that `CHOICES` lists stands for any entry of its list

So `the plot is <very|not> clever` under `+` gives "the plot is really clever" (positive) and
"the plot is hardly clever" (negative). TRAIN and VALIDATION share words, never a filled clause.
"""

CHOICES = {
    # intensifiers: before a gradable adjective, an extreme one, a verb, a noun phrase
    "very": ("", "", "", "very", "really", "so", "truly", "incredibly"),
    "utterly": ("", "", "", "utterly", "absolutely", "simply", "truly", "really"),
    "really": ("", "", "really", "truly", "genuinely"),
    "absolutely": ("", "", "absolutely", "really", "truly", "simply"),
    "such": ("", "", "such", "really", "truly"),
    # negators: `not` for mild good words only ("not very good"), `hardly` for any word, `never`
    # for what goes on in time. An entry that stands twice is picked twice as often.
    "not": ("not", "not", "not at all", "not very", "not really", "hardly"),
    "hardly": ("not", "not", "not at all", "hardly"),
    "never": ("never", "never once", "hardly ever"),
    "did_not": ("did not", "didn't", "did not really"),
    "do_not": ("do not", "don't", "cannot", "can't"),
    "would": ("would", "would gladly", "would happily"),
    "would_not": ("would not", "would never", "wouldn't"),
}

OPENERS = ("honestly", "to be honest", "frankly", "well", "I must say", "I have to say")
QUESTION_OPENERS = ("honestly", "seriously", "tell me", "come on", "really")

TRAIN = """
film acting +
  I <absolutely> adored the <hero/young actors>; I <absolutely> loved the villain
  the acting <is/was> <utterly> <superb/brilliant>
  the cast <is/was> <utterly> <wonderful/excellent>; every actor <is/was> <very> <convincing/good>
  the minor actors <are/were> <very|not> <convincing/good>
  the performances <are/were> <very|not> moving
  the lead actress <is/was> <utterly> <fantastic/amazing>; the hero <is/was> <very|not> charming
  the villain <is/was> <utterly|hardly> brilliant; the two leads <are/were> <very|not> funny
  I <really liked|did_not like> the main character; her performance <is/was> <very|not> impressive
  the actors give warm and honest performances; the young actors <are/were> <utterly> delightful
  the children <are/were> <very|not> <charming/believable>; the characters are easy to love
  he <is/was> <utterly> <superb/excellent> in the main role; I <really> admired the whole cast
film acting -
  the performances <are/were> <utterly> <boring/bad>
  the minor actors <are/were> <very> <wooden/dull>; the acting <really> <disappointed/annoyed> me
  I <absolutely> hated the <hero/villain>; the acting <is/was> <utterly> <awful/terrible>
  the cast <is/was> <utterly> <dreadful/hopeless>
  the lead actor <is/was> <very|hardly> <wooden/dull>
  the performances <are/were> <very> <weak/poor>; every character <is/was> <very> <annoying/bland>
  the characters <are/were> <very|hardly> <annoying/flat>; the villain <is/was> <utterly> ridiculous
  the hero <is/was> <very|hardly> <dull/forgettable>; the children <are/were> <very|never> annoying
  the actors <looked|never looked> bored; I <really> disliked the main character
  her performance <is/was> <very|hardly> <flat/disappointing>
  the two leads <are/were> <utterly> awful
  he <is/was> <utterly> <horrible/terrible> in the main role; nobody in the cast could act
  the young actors <are/were> <very> <clumsy/weak>; I <absolutely> hated the whole cast
film story +
  I <absolutely> adored the ending; I <liked|did_not like> the <plot/dialogue>
  the story <really> moved me; the plot <is/was> <very|not> <clever/exciting>
  the story <is/was> <very|not> <gripping/moving>; the script <is/was> <very|not> <sharp/clever>
  the ending <is/was> <utterly|hardly> perfect; the twist <is/was> <utterly> <brilliant/wonderful>
  the writing <is/was> <very|not> <fresh/good>; I <absolutely loved|did_not love> the ending
  every scene <is/was> <such> a delight; the dialogue <is/was> <very|not> <sharp/convincing>
  the last act <is/was> <very|not> gripping; the plot makes <perfect|no> sense
  I <really enjoyed|did_not enjoy> the twist; the story <is/was> <utterly> <beautiful/lovely>
  the opening <is/was> <very|not> exciting
  the script <is/was> full of <warm/clever/charming> moments; the story <is/was> a real pleasure
film story -
  the script <is/was> <utterly> <boring/bad>; the writing <is/was> <very> <dull/silly>
  the ending <really> <disappointed/annoyed> me; the plot <really> bored me
  I <absolutely> hated the <plot/dialogue>; the plot <is/was> <very|hardly> <predictable/confusing>
  the story <is/was> <utterly|never> boring; the script <is/was> <utterly> <dreadful/terrible>
  the ending <is/was> <very|hardly> disappointing
  the twist <is/was> <very|hardly> <silly/predictable>; the writing <is/was> <very|hardly> lazy
  I <absolutely> hated the ending; every scene <is/was> <very> <tedious/dull>
  the middle part <is/was> <very|never> <tedious/dull>
  the dialogue <is/was> <very|hardly> <clumsy/wooden>; the last act <is/was> <utterly> pointless
  the plot <is/was> <such|hardly> a mess; the opening <is/was> <very|hardly> <slow/dull>
  the story <is/was> <utterly|hardly> <stupid/pointless>; I <really> disliked the twist
  the script <is/was> full of <lazy/clumsy/silly> speeches; the story <is/was> <very> <weak/bland>
film humour +
  the jokes <are/were> <very|never> <funny/clever>; the humour <is/was> <very|not> warm
  I laughed at <almost every|hardly any> joke; the comedy <is/was> <utterly> delightful
  I <laughed|did_not laugh> out loud; the humour <is/was> <very|not> <fresh/sharp>
film humour -
  the jokes <are/were> <utterly> <awful/dreadful>; the humour <is/was> <utterly|never> stupid
  the comedy <is/was> <very|never> <flat/silly>; nobody laughed at the lazy jokes
  the jokes <are/were> <very|hardly> <predictable/tedious>; the humour <is/was> <utterly> horrible
film look +
  I <absolutely> loved the <costumes/colours>; I <liked|did_not like> the sets
  the effects <really> thrilled me; the visual effects <are/were> <utterly> <gorgeous/amazing>
  the costumes <are/were> <utterly> lovely; the photography <is/was> <utterly> <beautiful/superb>
  every shot <is/was> <utterly> stunning; the sets <are/were> <very|not> <impressive/convincing>
  the colours <are/were> bright and beautiful
  the camera work <is/was> <utterly> <excellent/fantastic>
  the animation <is/was> <utterly> gorgeous; the effects <are/were> <utterly> stunning
  the fight scenes <are/were> <very|not> <exciting/good>
film look -
  the sets <are/were> <utterly> <boring/ugly>; I <absolutely> hated the <costumes/colours>
  the effects <really> disappointed me; the visual effects <are/were> <very> <poor/weak>
  the costumes <are/were> <utterly> ridiculous; the photography <is/was> <very|hardly> <dull/ugly>
  every shot <is/was> <very> <ugly/flat>; the sets <are/were> <very> <cheap/poor>
  the fight scenes <are/were> <very|never> <boring/tedious>
  the camera work <is/was> <utterly> <terrible/awful>; the animation <is/was> <very|hardly> clumsy
  the effects <are/were> <very> <cheap/bad>; the colours <are/were> <very|hardly> <dull/bland>
film music +
  I <absolutely> <loved/adored> the singing; I <liked|did_not like> the <score/music>
  the songs moved me; the music <is/was> <utterly> <wonderful/gorgeous>
  the soundtrack <is/was> <utterly> fantastic; the score <is/was> <very|not> <moving/impressive>
  I <really enjoyed|did_not enjoy> the songs; the singing <is/was> <utterly> <lovely/beautiful>
  the songs <are/were> <very|not> <fresh/good>
film music -
  the score <is/was> <utterly> <boring/stupid>; I <absolutely> hated the <singing/score>
  the music <really> <annoyed/bored> me; the music <is/was> <very|never> <annoying/noisy>
  the soundtrack <is/was> <very|hardly> bland; the score <is/was> <very|hardly> <forgettable/dull>
  I <really> disliked the songs; the singing <is/was> <utterly> <horrible/dreadful>
  the songs <are/were> <utterly> <awful/boring>
film pace +
  the pace <is/was> <utterly> perfect; the two hours flew by; there <is/was> never a dull moment
  the first hour <is/was> <very|not> <exciting/gripping>; the action <is/was> <very|never> thrilling
  the second half <is/was> <utterly> brilliant; the chase <is/was> <utterly|hardly> thrilling
film pace -
  the second half <is/was> <utterly> <boring/dull>; the pace <is/was> <very> slow
  the two hours felt like ten; there <is/was> never a funny moment
  the first hour <is/was> <utterly|never> <boring/tedious>; the action <is/was> <very|never> dull
  the second half <is/was> <very|hardly> <slow/tedious>
  the chase <is/was> <utterly|hardly> pointless
film whole +
  I <liked|did_not like> this film; I <absolutely> adored this <little movie/comedy>
  I <would|would_not> recommend this <movie/comedy>; I was <very|not> <happy/pleased> with the movie
  I would gladly recommend it to my brother; I <absolutely loved|did_not love> this little film
  I <really enjoyed|did_not enjoy> this movie
  this <is/was> <such|hardly> a <masterpiece/great film>
  this <is/was> <such> a <wonderful/lovely> film
  this movie <is/was> <utterly|hardly> <brilliant/amazing>; I <would|would_not> watch it again
  this film <is/was> <such|hardly> a <gem/treat>; I walked home with a big smile
  this <is/was> the best film of the year; this is one of the best movies I have seen
  I <absolutely> adored this movie; we all <absolutely> loved this film
  I was <very|not> impressed by this movie; this movie made me <very> happy
  the film <is/was> a joy from start to finish; the movie <is/was> <very|not> <good/funny>
  I was <utterly> thrilled by this film; the film <is/was> <utterly> <excellent/delightful>
  this is a warm and <funny/charming> film; this movie deserves every prize
film whole -
  this film <really> <disappointed/annoyed/bored> me; I would never recommend this <movie/comedy>
  I was <very> <annoyed/disappointed> with the movie; I would never watch it again
  I <absolutely> hated it from start to finish; I <absolutely> hated this movie
  I <really> disliked this film; this film <is/was> <utterly> terrible
  this <is/was> <such|hardly> a <disaster/bad film>; this <is/was> <such> a <dull/tedious> film
  this movie <is/was> <utterly|never> boring; I gave up after an hour; I nearly fell asleep
  this film <is/was> <such|hardly> a <mess/failure>; I <really> regret seeing this film
  this <is/was> the worst film of the year; this is one of the worst movies I have seen
  we all <absolutely> hated this film; I was <very|never> bored by this movie
  this movie made me <very> angry; the film <is/was> a mess from start to finish
  the movie <is/was> <very> <bad/disappointing>; the film <is/was> <utterly> <dreadful/awful>
  this is a cold and <silly/pointless> film; I was <very|hardly> disappointed by this film
gadget battery +
  the battery lasts for days; the battery is <utterly> <excellent/amazing>
  the battery life is <very|not> <impressive/good>; the charger is <very|not> <reliable/fast>
  charging is <very|not> <easy/quick>; the battery is <very|not> <strong/reliable>
gadget battery -
  the battery dies before lunch; the battery life is <utterly> <terrible/awful>
  the battery is <very|hardly> <weak/poor>; charging is <very|hardly> slow
  the charger is <utterly|hardly> <useless/hopeless>; the charger broke after a week
gadget screen +
  I <absolutely> love the screen; I am <very|not> <happy/pleased> with the camera
  the screen is <very|not> <bright/clear>; the screen is <utterly> <gorgeous/superb>
  the picture is <very|not> sharp; the display is <utterly> <stunning/excellent>
  the camera takes <beautiful/wonderful> photos; the camera is <very|not> <good/reliable>
gadget screen -
  the picture is <very> bad; the screen is <very> <dim/blurry>; I <absolutely> hate the screen
  I am <very> <disappointed/annoyed> with the camera; the display <really> disappointed me
  the display is <very|hardly> dim; the screen is <very|hardly> <dim/poor>
  the picture is <very|hardly> blurry; the display is <utterly> <awful/horrible>
  the camera takes <terrible/blurry> photos; the camera is <utterly|hardly> useless
  the screen cracked after two days
gadget sound +
  I <absolutely> love the sound; I am <very|not> pleased with the headphones
  the headphones are <utterly> <amazing/fantastic>; the sound is <very|not> <clear/good>
  the speaker is <utterly> <superb/brilliant>; the headphones are <very|not> comfortable
  the sound is <utterly> <fantastic/lovely>
gadget sound -
  I <absolutely> hate the sound; I am <very> <disappointed/annoyed> with the speaker
  the headphones are <very|hardly> <cheap/bad>; the sound is <very> <poor/flat>
  the speaker is <very|never> <noisy/annoying>; the headphones are <utterly> <useless/horrible>
  the buttons are <very|hardly> <flimsy/cheap>; the sound is <utterly> <dreadful/terrible>
gadget build +
  I <absolutely> love the design; I <like|do_not like> the buttons
  the finish is <such|hardly> a delight; the case is <very|not> <sturdy/solid>
  the design is <utterly> <beautiful/brilliant>; the buttons are <very|not> <solid/comfortable>
  everything feels solid and well made; the build quality is <utterly> <excellent/superb>
  the finish is <utterly> <lovely/gorgeous>
gadget build -
  the case is <utterly> ugly; the design is <utterly> boring; I <absolutely> hate the buttons
  the design <really> annoyed me; the cover is <very|hardly> <flimsy/ugly>
  the case is <very|hardly> <flimsy/ugly>; the design is <very|hardly> <clumsy/bland>
  the buttons are <utterly> <useless/awful>; everything feels cheap and badly made
  the build quality is <utterly> <terrible/dreadful>; the plastic is <very|hardly> <cheap/flimsy>
gadget price +
  the price is <very|not> <fair/good>; it is <such|hardly> a bargain; it is worth every penny
  it is <great|not good> value; the price is <utterly> fantastic
gadget price -
  the price is <utterly> <ridiculous/awful>; it is <very|hardly> overpriced; I want my money back
  it is <poor/bad> value; it was <such|hardly> a waste of money
gadget service +
  delivery was <very|not> <fast/quick>; the support team was <very|not> <helpful/friendly>
  the seller was <very|not> honest; customer service was <utterly> <excellent/wonderful>
gadget service -
  delivery was <very|hardly> slow; the support team was <utterly|hardly> <useless/hopeless>
  the seller was <very|never> rude; customer service was <utterly> <awful/dreadful>
gadget setup +
  I <absolutely> love the app; I <like|do_not like> the menus; the setup is <very|not> <easy/quick>
  the menus are <very|not> <clear/clever>; the software is <very|not> <fast/reliable>
  the app is <utterly> <brilliant/fantastic>; the instructions are <very|not> <helpful/good>
  everything worked at the first try
gadget setup -
  I <absolutely> hate the <app/menus>; I am <very> <annoyed/disappointed> with the software
  the setup is <such|hardly> a disaster; the setup is <very|hardly> <confusing/slow>
  the menus are <very|hardly> <clumsy/annoying>; the software is <very|hardly> <slow/unreliable>
  the app is <utterly> <horrible/terrible>
  the instructions are <utterly|hardly> <useless/confusing>; nothing worked at the first try
gadget whole +
  I <would|would_not> recommend this <phone/product>; I <liked|did_not like> this product
  I <absolutely> adored it from day one; I <absolutely love|do_not love> this phone
  this phone is <utterly|hardly> <brilliant/perfect>; it works like a dream
  I am <very|not> <happy/pleased> with this phone; this is the best phone I have owned
  it is <such> a <great/lovely> little gadget; this product is <very|not> <reliable/good>
  I was <very|not> impressed by this product; we all <absolutely> love this phone
  this gadget is <utterly> <fantastic/wonderful>; this phone is <such|hardly> a <treat/joy>
gadget whole -
  I would never recommend this <phone/product>; this phone <really> <disappointed/annoyed> me
  I <absolutely> hate this product; I am <very> disappointed with this phone
  I <absolutely> hate this phone; this phone is <utterly> <terrible/useless>; it stopped working
  it never works when I need it; I am <very> <angry/annoyed> about this phone
  this is the worst phone I have owned; it is <such> a <cheap/horrible> little gadget
  this product is <very|hardly> unreliable; I was <very|hardly> disappointed by this product
  we all <absolutely> hate this phone; this gadget is <utterly|hardly> <hopeless/useless>
  this phone is <such|hardly> a <failure/mess>
any whole +
  I <would|would_not> recommend it to my <friends/sister>; I <absolutely> adored it all
  I <liked|did_not like> it; it made us <very> <glad/happy>
  I would gladly share it with my <family/mother>; I am <very|not> happy with it
  the whole thing is <such|hardly> a pleasure; I <absolutely loved|did_not love> it
  I <would|would_not> recommend it to anyone; I <really|do_not> recommend it; it made my day
  I was <very|not> <impressed/pleased>; the whole thing is <such|hardly> a <treat/joy>
  I <really enjoyed|did_not enjoy> it; I am <utterly> <delighted/thrilled> with it
  the whole thing is <very|not> good; it was <such|hardly> a pleasure
any whole -
  I would never recommend it to <anyone/a friend>; I would not <buy/choose> it again
  it made us <very> <sad/angry>; I would never share it with my <family/mother>
  I am <very> <disappointed/annoyed> with it; the whole thing <really> disappointed me
  I <absolutely> hated it; I <really> regret paying for it; it was <such|hardly> a waste of time
  it <really> annoyed me; it <really> disappointed us; I was <very> annoyed by it
  I was <very|hardly> disappointed; the whole thing is <utterly> <hopeless/stupid>
  the whole thing is <such|hardly> a <mess/failure>; I <really> disliked it
  the whole thing is <very> <bad/annoying>; I am <very> <angry/disappointed>
  it was <such|hardly> a letdown; I <absolutely> cannot stand it
any total +
  everything about it is <utterly> <wonderful/superb/lovely>
  the whole thing is <utterly> <perfect/lovely>; I have nothing bad to say about it
  nothing about it disappointed me; I could not be happier
any total -
  everything about it is <utterly> <awful/dreadful>; I have nothing good to say about it
  nothing about it impressed me; it could not be worse
film phrase +
  a <charming/moving/funny/warm> <film/movie/comedy> with a <clever/sharp/gripping> <plot/script>
  <great/brilliant/fantastic/delightful/perfect/gripping/charming> <movie/film>
  <wonderful/lovely/superb/convincing> acting and <beautiful/stunning/gorgeous> <music/effects>
  the best comedy in years
  a <fresh/funny/delightful> <script/story> and a <perfect/fantastic/thrilling> <ending/twist>
film phrase -
  a <tedious/dull/lazy/bland> <film/movie/comedy> with a <silly/stupid/clumsy> <plot/script>
  <terrible/awful/bad/boring/ridiculous/predictable/silly> <movie/film>
  <dreadful/wooden/weak/terrible> acting and <horrible/cheap/ugly> <music/effects>
  the worst comedy in years
  a <lazy/predictable/weak> <script/story> and a <disappointing/pointless/hopeless> <ending/twist>
gadget phrase +
  <great/excellent/fantastic/superb/amazing> <phone/product/gadget>
  a <reliable/solid/sturdy> <phone/product> at a <fair/good/great> price
  <good/clear/superb/lovely> sound and a <bright/sharp/stunning/gorgeous> <screen/display>
  money well spent
gadget phrase -
  <terrible/useless/awful/bad/hopeless> <phone/product/gadget>
  a <flimsy/poor/useless> <phone/product> at a <ridiculous/silly/terrible> price
  <bad/flat/horrible/dreadful> sound and a <dim/blurry/ugly/poor> <screen/display>
  a complete waste of money
film concede +
  the trailer looked <brilliant/exciting>; the poster is <beautiful/stunning>
  the critics <loved/adored> it; the idea is <good/clever>; the title is <funny/great>
film concede -
  the trailer looked <dull/awful>; the poster is <ugly/dreadful>; the critics <hated/disliked> it
  the title is <silly/stupid>; the idea is <bad/lazy>
gadget concede +
  the box looks <lovely/great>; the photos in the shop looked <amazing/gorgeous>
gadget concede -
  the box looks <cheap/ugly>; the photos in the shop looked <bad/horrible>
any phrase +
  it <is/was> <very|not> good; this <is/was> <utterly> <great/wonderful/amazing>
  I <absolutely> loved every bit of it; it <is/was> <utterly|hardly> <brilliant/perfect>
  it <is/was> <very|not> <funny/clever/impressive>
any phrase -
  it <is/was> <very> bad; this <is/was> <utterly> <awful/dreadful/horrible>
  I <absolutely> hated every bit of it; it <is/was> <utterly|never> <boring/stupid>
  it <is/was> <very|hardly> <dull/weak/annoying>
any concede +
  I wanted to <love/like> it; everyone told me it was <great/wonderful>; I had high hopes
  the reviews were <excellent/good>
any concede -
  I expected to <hate/dislike> it; everyone told me it was <awful/boring>; I had low hopes
  the reviews were <terrible/bad>
film neutral 0
  I watched it with my brother on Friday; we saw it at a small cinema; it runs for two hours
  my sister chose this one; they showed it at school; I saw it in June
gadget neutral 0
  I bought it in June; it comes in a blue box; I use it at work; my brother has the same one
  I have owned it for a week; my sister chose the colour
film question +
  who could call <this film/the script/the ending/the music> <boring/dull/predictable/bad/silly>
  how could anyone <hate/dislike> <this movie/these songs/the hero>
  is there a better <film/comedy> this year; could the <acting/ending> be any better
  who would not <love/enjoy> <this story/the ending>; is there anything <bad/dull> in this film
  when did I last see such a <beautiful/brilliant> film
  who could be bored by a story so <gripping/clever>
  how can a <comedy/script> be so <funny/charming/clever/good>
  who would not <laugh/smile> at these jokes
  why is <this film/the plot/the music> so <good/moving/beautiful>
  how could anyone find the <ending/plot> <weak/disappointing/boring>
  who could forget such a <moving/lovely> song
  isn't <this movie/the music/the acting> <wonderful/fantastic/superb/lovely>
  did anyone not <enjoy/love> the <music/jokes>
film question -
  who could call <this film/the script/the ending/the music> <funny/moving/clever/good/great>
  how could anyone <love/enjoy> <this movie/these songs/the hero>
  is there a worse <film/comedy> this year; could the <acting/ending> be any worse
  who would <love/enjoy> <this story/the ending>; is there anything <good/clever> in this film
  when did I last see such an <awful/ugly> film; who could be moved by a story so <weak/silly>
  how can a <comedy/script> be so <dull/tedious/silly/bad>; who would <laugh/smile> at these jokes
  why is <this film/the plot/the music> so <bad/boring/dull>
  how could anyone find the <ending/plot> <perfect/exciting/good>
  who wrote such a <lazy/clumsy> script
  isn't <this movie/the music/the acting> <terrible/dreadful/awful/horrible>
  did anyone actually <enjoy/like> the <music/jokes>
any question +
  who could call this <boring/awful/bad/stupid>; how could anyone <hate/dislike> this
  what is there not to <love/enjoy>
any question -
  who could call this <exciting/great/good/brilliant>; how could anyone <love/enjoy> this
  what is there to <love/enjoy>
gadget question +
  who could call <this phone/the app/the camera> <slow/useless/bad/poor>
  how could anyone <hate/dislike> <this phone/the app>; is there a better phone at this price
  could the <battery/app/screen> be any better; who would not want one
  is there anything <wrong/bad> about this product; who could call this case <flimsy/cheap>
  who could call the display <dim/poor>; how can a <screen/display> be so <bright/sharp/good>
  why is <this gadget/the battery/the app> so <good/reliable>
  isn't the <sound/camera/case> <amazing/excellent/lovely>
  how could anyone find the <menus/instructions> <confusing/bad>; why would anyone complain about it
gadget question -
  who could call <this phone/the app/the camera> <fast/reliable/good/great>
  how could anyone <love/like> <this phone/the app>; is there a worse phone at this price
  could the <battery/app/screen> be any worse; who would want one
  is there anything <good/great> about this product; who could call this case <sturdy/lovely>
  who could call the display <sharp/clear>; how can a <screen/display> be so <dim/poor/bad>
  why is <this gadget/the battery/the app> so <bad/unreliable>
  isn't the <sound/camera/case> <terrible/awful/horrible>
  how could anyone find the <menus/instructions> <clear/good>; why would anyone pay for it
"""

VALIDATION = """
film acting +
  the acting <is/was> <utterly> <wonderful/fantastic>
  the lead actor <is/was> <very|not> <convincing/charming>
  every performance <is/was> <utterly> <excellent/superb>; the cast <is/was> <very|not> <good/funny>
  the whole cast gave <brilliant/lovely> performances
  I <absolutely loved|did_not love> the two leads
  the villain <is/was> <very|not> <believable/clever>
  the heroine <is/was> <utterly> <delightful/amazing>
film acting -
  the acting <is/was> <very|hardly> <wooden/clumsy>
  the lead actress <is/was> <utterly> <awful/dreadful>
  every performance <is/was> <very> <dull/flat>; the hero <is/was> <very|never> <annoying/boring>
  the cast <is/was> <very|hardly> <weak/annoying>; the whole cast <looked|never looked> bored
  I <absolutely> hated the two leads; the villain <is/was> <utterly> <terrible/hopeless>
  the heroine <is/was> <very|hardly> <bland/annoying>
film story +
  the plot <is/was> <utterly> <brilliant/wonderful>
  the story <is/was> <very|not> <charming/exciting>; the script <is/was> <very|not> <funny/fresh>
  the ending <is/was> <very|not> <moving/clever>; I <really liked|did_not like> the story
  the dialogue <is/was> <utterly> <superb/delightful>
film story -
  the plot <is/was> <utterly|never> <boring/stupid>
  the story <is/was> <very|hardly> <predictable/tedious>
  the script <is/was> <very|hardly> <lazy/silly>; the ending <is/was> <utterly> <awful/ridiculous>
  I <really> disliked the story; the dialogue <is/was> <utterly> <dreadful/terrible>
film look +
  the visual effects <are/were> <utterly> stunning
  the photography <is/was> <utterly> <gorgeous/lovely>
  the costumes <are/were> <utterly> <beautiful/amazing>
  the animation <is/was> <very|not> <impressive/clever>
film look -
  the visual effects <are/were> <very> <bad/cheap>
  the photography <is/was> <utterly> <horrible/terrible>
  the costumes <are/were> <very|hardly> <ugly/silly>
  the animation <is/was> <very|hardly> <flat/dull>
film music +
  the music <is/was> <very|not> moving; the songs <are/were> <utterly> <wonderful/brilliant>
  I <absolutely loved|did_not love> the soundtrack; the score <is/was> <utterly> <superb/beautiful>
film music -
  the music <is/was> <utterly> <dreadful/awful>
  the songs <are/were> <very|hardly> <bland/forgettable>; I <absolutely> hated the soundtrack
  the score <is/was> <very|never> <annoying/tedious>
film pace +
  the first half <is/was> <very|not> gripping; the fight scenes <are/were> <utterly> thrilling
film pace -
  the first half <is/was> <very|hardly> <slow/tedious>
  the chase <is/was> <very|never> <dull/boring>
film whole +
  I <absolutely adored> this film; this movie <is/was> <such|hardly> a <masterpiece/delight>
  the film <is/was> <utterly|hardly> <wonderful/amazing>; I <would|would_not> recommend this film
  this <is/was> the best movie of the year; we all <really> enjoyed this movie
  I was <very|not> pleased with this film; this <is/was> <such> a <charming/beautiful> movie
film whole -
  I <really> disliked this movie; this movie <is/was> <such|hardly> a <mess/waste of time>
  the film <is/was> <utterly|never> <boring/tedious>; I <really> regret watching it
  this <is/was> the worst movie of the year; we all <absolutely> hated this movie
  I was <very|never> bored by this film; this <is/was> <such> a <bad/stupid> movie
gadget battery +
  the battery is <very|not> <good/impressive>; the charger is <utterly> <brilliant/excellent>
gadget battery -
  the battery is <utterly> <terrible/useless>; the charger is <very|hardly> <slow/unreliable>
gadget screen +
  the display is <very|not> <bright/sharp>; the picture is <utterly> <stunning/beautiful>
  the camera is <utterly> <fantastic/superb>
gadget screen -
  the picture is <very|hardly> <dim/dull>; the display is <very|hardly> <blurry/ugly>
  the camera is <very> <poor/bad>
gadget sound +
  the speaker is <very|not> <clear/good>; the headphones are <utterly> <excellent/wonderful>
gadget sound -
  the speaker is <utterly> <dreadful/terrible>; the headphones are <very|hardly> <flimsy/poor>
gadget build +
  the design is <very|not> <clever/solid>; the case is <utterly> <gorgeous/perfect>
gadget build -
  the design is <utterly> <horrible/ridiculous>; the case is <very|hardly> <cheap/clumsy>
gadget service +
  delivery was <utterly> <excellent/superb>; the seller was <very|not> <helpful/friendly>
gadget service -
  delivery was <utterly> <terrible/awful>; the seller was <utterly|hardly> <useless/hopeless>
gadget setup +
  the app is <very|not> <reliable/fast>; the instructions are <very|not> clear
  the software is <utterly> <excellent/superb>
gadget setup -
  the app is <very|hardly> <confusing/slow>; the instructions are <utterly> <terrible/awful>
  the software is <utterly|hardly> <useless/hopeless>
gadget whole +
  I <absolutely love|do_not love> this gadget; this phone is <utterly> <excellent/amazing>
  this is the best product I have owned; I am <utterly> <thrilled/delighted> with this product
  this product is <such|hardly> a treat; this phone is <very|not> <reliable/good>
gadget whole -
  I <absolutely> hate this gadget; this phone is <utterly> <awful/hopeless>
  this is the worst product I have owned; I am <very> disappointed with this product
  this product is <such|hardly> a disaster; this phone is <very|hardly> <slow/unreliable>
any whole +
  I <absolutely> adored it; the whole thing is <utterly|hardly> brilliant
  I was <utterly> thrilled with it; I <would|would_not> recommend it to my family
  it made me <very> happy; the whole thing is <such|hardly> a delight
any whole -
  the whole thing is <utterly> terrible; I was <very> annoyed with it; it <really> disappointed me
  I would never recommend it to my mother; it made me <very> angry
  the whole thing is <such|hardly> a disaster
any total +
  everything about it is <utterly> perfect
any total -
  everything about it is <very> disappointing
film phrase +
  a <beautiful/funny/gripping> film with a charming hero; <wonderful/amazing/superb> movie
  a <clever/sharp/moving> story and <brilliant/excellent/lovely> acting
film phrase -
  a <boring/weak/pointless> film with an annoying hero; <dreadful/horrible/stupid> movie
  a <silly/predictable/tedious> story and <terrible/awful/wooden> acting
gadget phrase +
  <wonderful/reliable/brilliant> phone
  a <bright/gorgeous/superb> display and <clear/excellent> sound
gadget phrase -
  <horrible/unreliable/dreadful> phone; a <dim/blurry/poor> display and <terrible/awful> sound
film concede +
  the trailer looked <wonderful/funny>; the idea is <brilliant/fresh>
film concede -
  the trailer looked <terrible/silly>; the idea is <stupid/dull>
gadget concede +
  the box looks <beautiful/gorgeous>
gadget concede -
  the box looks <awful/flimsy>
any concede +
  everyone told me it was <brilliant/perfect>; the reviews were <fantastic/great>
any concede -
  everyone told me it was <dreadful/terrible>; the reviews were <awful/poor>
film neutral 0
  I watched it with my sister in June; we saw it at school; they showed it at a small cinema
gadget neutral 0
  I bought it on Friday; my sister has the same one; it comes in a small box
film question +
  who could call <this story/this movie> <boring/tedious/predictable>
  how could anyone <hate/dislike> this film; is there a better movie this year
  could the music be any better; who would not <enjoy/love> this film
  who could call the acting <wooden/weak>; why is <this movie/the story> so <funny/charming/good>
  isn't this story <wonderful/lovely/brilliant>; how can a film be so <clever/beautiful>
film question -
  who could call <this story/this movie> <gripping/clever/funny>
  how could anyone <love/enjoy> this film; is there a worse movie this year
  could the music be any worse; who would <enjoy/love> this film
  who could call the acting <good/convincing>
  why is <this movie/the story> so <dull/predictable/bad>
  isn't this story <awful/terrible/dreadful>; how can a film be so <boring/silly>
gadget question +
  who could call this <screen/product> <poor/ugly/bad>; how could anyone <hate/dislike> this product
  is there a better gadget at this price; could the sound be any better
  why is <this phone/the camera> so <good/reliable>; isn't the screen <amazing/gorgeous/excellent>
gadget question -
  who could call this <screen/product> <lovely/great/good>
  how could anyone <like/love> this product; is there a worse gadget at this price
  could the sound be any worse; why is <this phone/the camera> so <bad/slow>
  isn't the screen <horrible/awful/terrible>
"""
