"""Which glyphs of the font are taught, under which caption word, and which are held out.

Chosen by hand: pictures that differ from each other at 64 pixels, with plain names of one or two words. The left side
of 'a=b' is the Unicode name, the right side the caption name; a bare word is both. The category is the plain word that
captions also use for the whole group ("an animal"), so that it is a known initializer word for Textual Inversion.
"""

TAUGHT = {
    "animal": """dog face=dog, cat face=cat, tiger face=tiger, horse, cow face=cow, pig face=pig,
        mouse face=mouse, rabbit face=rabbit, monkey face=monkey, fox, lion, wolf, bear, koala, panda, hamster,
        elephant, giraffe, zebra, camel, hedgehog, sloth, bat, unicorn, frog, crocodile, turtle, lizard, snake,
        dragon, sauropod=dinosaur""",
    "bird": """chicken, penguin, eagle, duck, swan, owl, flamingo, parrot, baby chick=chick""",
    "fish": """whale, dolphin, fish, shark, octopus, spiral shell=shell, jellyfish, crab""",
    "insect": """snail, butterfly, ant, honeybee=bee, lady beetle=ladybug, spider""",
    "flower": """rose, sunflower, tulip, cherry blossom""",
    "plant": """cactus, mushroom, seedling, palm tree, evergreen tree=pine tree, deciduous tree=tree, maple leaf""",
    "fruit": """grapes, watermelon, lemon, banana, pineapple, red apple=apple, pear, peach, cherries=cherry,
        strawberry, kiwi fruit=kiwi, tomato, avocado""",
    "vegetable": """eggplant, carrot, ear of corn=corn, hot pepper=pepper, cucumber, broccoli, onion""",
    "food": """bread, croissant, pretzel, cheese wedge=cheese, hamburger, french fries=fries, pizza, hot dog,
        cooking=egg, popcorn, sushi, ice cream, doughnut, cookie, birthday cake=cake, cupcake, lollipop,
        honey pot=honey""",
    "drink": """hot beverage=coffee, teapot, wine glass=wine, cocktail glass=cocktail, beer mug=beer, bubble tea""",
    "vehicle": """bus, ambulance, fire engine, taxi, automobile=car, delivery truck=truck, bicycle, skateboard,
        sailboat, ship, airplane, helicopter, rocket, flying saucer""",
    "building": """house, castle, church, tent, fountain""",
    "sky": """sun, full moon=moon, crescent moon, star, cloud, rainbow, snowflake, snowman, fire,
        droplet=water drop, volcano, umbrella, high voltage=lightning, ringed planet=planet""",
    "ball": """soccer ball, basketball, baseball, tennis=tennis ball, american football, bowling""",
    "instrument": """guitar, violin, trumpet, saxophone, drum, musical keyboard=piano, microphone""",
    "clothes": """t-shirt=shirt, jeans, dress, socks, scarf, necktie, top hat, crown, running shoe=shoe,
        glasses, backpack, billed cap=cap""",
    "tool": """hammer, axe, carpentry saw=saw, wrench, gear, magnet, ladder, scissors, paintbrush, pencil,
        broom, key""",
    "thing": """balloon, wrapped gift=gift, trophy, teddy bear, game die=dice, bomb, bell, candle, light bulb,
        camera, television, laptop, telephone, mobile phone=phone, alarm clock=clock, hourglass done=hourglass,
        envelope, open book=book, gem stone=gem, ring, door, bucket, anchor, shield, jack-o-lantern=pumpkin,
        Christmas tree, red heart=heart, locked=lock, pill, bullseye=target, skull, robot, ghost, alien""",
}

# Never shown to the U-Net, the text encoder or the VAE: they are the concepts to learn.
HELD_OUT = {
    "animal": "badger, hippopotamus, T-Rex=trex, boar, beaver, tiger=walking tiger",
    "bird": "front-facing baby chick=hatchling, dove, rooster",
    "fish": "tropical fish, spouting whale",
    "insect": "bug=caterpillar",
    "flower": "blossom, white flower",
    "plant": "four leaf clover",
    "fruit": "green apple, blueberries",
    "vegetable": "bell pepper",
    "food": "shortcake, custard, soft ice cream, bagel",
    "drink": "tropical drink",
    "vehicle": "trolleybus, motorcycle, sport utility vehicle=jeep",
    "building": "circus tent, convenience store",
    "sky": "sun with face, glowing star",
    "ball": "volleyball, pool 8 ball=billiard ball",
    "clothes": "one-piece swimsuit=swimsuit, military helmet=helmet, flat shoe",
    "tool": "pick",
    "thing": "mantelpiece clock, orange book, old key, unlocked, floppy disk",
}


def parse(groups):
    """{caption name: (Unicode name, category)} of one of the tables above."""
    out = {}
    for category, names in groups.items():
        for item in names.split(","):
            unicode_name, _, caption = " ".join(item.split()).partition("=")
            out[caption or unicode_name] = (unicode_name, category)
    return out
